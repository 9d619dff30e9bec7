import json
from pathlib import Path

import pytest

from mimicbench.benchmarks import everything, throughput
from mimicbench.errors import UserError

TINY = ["--width", "0.05", "--chunk", "256", "--seconds", "0.01", "--repeats", "1", "--bare-steps", "eager"]


def test_it_goes_on_where_it_was_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    wrong = ["--width", "nonsense"]
    monkeypatch.setattr(everything, "measurements", lambda: {"good": (throughput, TINY), "bad": (throughput, wrong)})
    with pytest.raises(SystemExit, match="Failed: bad"):
        everything.main(["--folder", str(tmp_path / "new")])
    printed = capfd.readouterr().out
    assert "R_a" in printed
    file = tmp_path / "new" / "good.json"
    report = json.loads(file.read_text())
    report["figures"]["T5"] = [1e8 / 60 / 17]
    file.write_text(json.dumps(report))
    everything.main(["--folder", str(tmp_path / "new"), "--only", "good"])
    printed = capfd.readouterr().out
    assert "would take 17 minutes" in printed  # of the file that was there
    assert "bad" not in printed
    report["versions"]["torch"] = "1.0"
    file.write_text(json.dumps(report))
    everything.main(["--folder", str(tmp_path / "new"), "--only", "good"])
    assert "would take 17 minutes" not in capfd.readouterr().out  # measured anew
    with pytest.raises(SystemExit, match="--only god is none of good, bad"):
        everything.main(["--only", "god"])


def test_the_options_planned_are_those_that_the_modules_take(monkeypatch: pytest.MonkeyPatch) -> None:
    def reached(*_: object) -> None:
        raise UserError("reached")

    for gpu in (False, True):
        monkeypatch.setattr("torch.cuda.is_available", lambda gpu=gpu: gpu)
        monkeypatch.setattr("torch.cuda.current_device", lambda: 0)
        monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda **_: True)
        for module, flags in everything.measurements().values():
            for name in {"measure", "_in_turns"} & set(vars(module)):
                monkeypatch.setattr(module, name, reached)
            with pytest.raises(SystemExit, match="reached"):
                module.main(flags)
