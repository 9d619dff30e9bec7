import json
from pathlib import Path
from typing import Any

import pytest

from mimicbench.benchmarks import command


def carried_out(file: Path, *arguments: str) -> dict[str, Any]:
    command.carry_out(lambda: {"device": "CPU"}, lambda _: None, file, [*arguments])
    return json.loads(file.read_text())  # type: ignore[no-any-return]


def test_a_report_names_its_arguments_wherever_it_lies(tmp_path: Path) -> None:
    file = tmp_path / "a" / "report.json"
    first = carried_out(file, "--width", "1.0", "--json", str(file))
    assert first["arguments"] == ["--width", "1.0"]
    assert carried_out(tmp_path / "b.json", f"--json={tmp_path}/b.json", "--width", "1.0") == first
    assert {"device", "code", "content", "machine", "versions"} < set(first)


def test_code_that_changes_meanwhile_is_no_code_to_compare_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    origins = iter([command.origin() | {"content": content} for content in ("before", "after")])
    monkeypatch.setattr(command, "origin", lambda: next(origins))
    assert carried_out(tmp_path / "report.json")["content"] is None
    assert "The code was changed meanwhile" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many"])
def test_a_count_is_at_least_one(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = command.parser("mimicbench.benchmarks.growth", "")
    parser.add_argument("--repeats", type=command.at_least_one)
    with pytest.raises(SystemExit):
        parser.parse_args(["--repeats", text])
    assert text in capsys.readouterr().err
