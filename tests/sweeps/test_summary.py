import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mimicbench.sweeps import summary
from tests.test_results import make_mark, make_result


def shown(folder: Path, monkeypatch: pytest.MonkeyPatch, report: bool = True) -> list[list[str]]:
    """What is run at the end of a sweep."""
    commands: list[Any] = []
    monkeypatch.setattr(subprocess, "run", lambda command, **_: commands.append(command))
    summary.show(folder, report)
    return commands


@pytest.mark.parametrize(("keys", "scored"), [([None, None], False), ([3, 3], False), ([3, 4], True)])
def test_a_sweep_of_several_keys_is_scored_before_its_report(
    keys: list[int | None], scored: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, key in enumerate(keys):
        (tmp_path / str(number)).mkdir()
        mark = None if key is None else make_mark(key=key)
        make_result(seed=number, watermark=mark).save(tmp_path / str(number))
    report = [sys.executable, "-m", "mimicbench.report", str(tmp_path)]
    scoring = [sys.executable, "-m", "mimicbench.ownership", str(tmp_path)]
    assert shown(tmp_path, monkeypatch) == ([scoring, report] if scored else [report])
    assert shown(tmp_path, monkeypatch, report=False) == []
