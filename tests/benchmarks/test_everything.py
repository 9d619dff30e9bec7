import json
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from mimicbench.benchmarks import everything, throughput
from mimicbench.benchmarks.origin import origin
from mimicbench.errors import UserError
from mimicbench.results import versions

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
    with pytest.raises(SystemExit, match="--only god is none of good, bad"):
        everything.main(["--only", "god"])


@pytest.mark.parametrize(
    "other",
    [
        {"versions": versions() | {"torch": "1.0"}},
        {"content": "0" * 16},
        {"content": None},
        {"machine": {"processor": "another"}},
        {"arguments": ["--width", "1.0"]},
    ],
)
def test_what_was_measured_otherwise_is_measured_anew(
    other: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, measure = tmp_path / "good.json", Mock()
    monkeypatch.setattr(everything, "measurements", lambda: {"good": (throughput, TINY)})
    monkeypatch.setattr(throughput, "show", Mock())
    monkeypatch.setattr(everything, "subprocess", Mock(run=measure))
    same = origin() | {"arguments": TINY, "code": {"commit": None, "dirty": None}, "device": "CPU"}
    for report, times in ((same, 0), (same | other, 1)):
        file.write_text(json.dumps(report | {"figures": {"T5": [1.0]}, "network": "vgg16", "width": 1.0}))
        with suppress(SystemExit):  # the mock measures nothing
            everything.main(["--folder", str(tmp_path)])
        assert measure.call_count == times


def test_the_options_planned_are_those_that_the_modules_take(monkeypatch: pytest.MonkeyPatch) -> None:
    def reached(*_: object) -> None:
        raise UserError("reached")

    for gpu in (False, True):
        monkeypatch.setattr("torch.cuda.is_available", lambda gpu=gpu: gpu)
        monkeypatch.setattr("torch.cuda.current_device", lambda: 0)
        monkeypatch.setattr("torch.cuda.get_device_name", lambda *_: "a GPU")
        monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda **_: True)
        for module, flags in everything.measurements().values():
            for name in {"measure", "_in_turns"} & set(vars(module)):
                monkeypatch.setattr(module, name, reached)
            with pytest.raises(SystemExit, match="reached"):
                module.main(flags)
