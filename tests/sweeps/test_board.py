import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from mimicbench.sweeps.board import Board, _duration
from mimicbench.sweeps.processes import ProcessJob, State


def jobs_in(folder: Path) -> list[ProcessJob]:
    made = [ProcessJob(name, folder / name, []) for name in ("waits", "runs", "began", "done", "old", "failed")]
    for one in made:
        one.folder.mkdir()
    _, runs, began, done, old, failed = made
    runs.state = began.state = State.RUNNING
    note = {"stage": "student", "epoch": 3, "epochs": 8, "share": 0.3125, "seconds_left": 100.0, "accuracy": 0.5}
    (runs.folder / "progress.json").write_text(json.dumps(note))
    for one in (done, old):
        one.state = State.DONE
        (one.folder / "result.json").write_text(json.dumps({"student_accuracy": 0.9, "fidelity": 0.95}))
    done.exit_code, done.seconds = 0, 3725.0
    failed.state, failed.exit_code = State.FAILED, 1
    return made


EXPECTED = {
    "waits": "waiting",
    "runs": "student: epoch 3 of 8, 31%, 1:40 left, accuracy 50.00%",
    "began": "running",
    "done": "done in 1:02:05, accuracy 90.00%, fidelity 95.00%",
    "old": "done already, accuracy 90.00%, fidelity 95.00%",
}


def test_each_job_has_a_line_on_a_terminal(tmp_path: Path) -> None:
    console = Console(file=StringIO(), force_terminal=True, width=200)
    with Board(jobs_in(tmp_path), console) as board:
        board.changed(None)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    for name, line in EXPECTED.items():
        assert name in printed
        assert line in printed
    assert f"failed, see {tmp_path}/failed/job.log" in printed


def test_more_jobs_than_lines_are_counted(tmp_path: Path) -> None:
    console = Console(file=StringIO(), force_terminal=True, width=200, height=6)
    with Board(jobs_in(tmp_path), console):
        pass
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert EXPECTED["runs"] in printed
    assert EXPECTED["done"] not in printed
    assert "1 waiting, 2 running, 2 done, 1 failed" in printed


def test_names_are_no_markup(tmp_path: Path) -> None:
    console = Console(file=StringIO(), width=200)
    with Board([], console) as board:
        board.changed(ProcessJob("a[/x][bold]", tmp_path, []))
    assert console.file.getvalue() == "a[/x][bold]: waiting\n"  # type: ignore[attr-defined]


def test_each_change_is_a_line_elsewhere(tmp_path: Path) -> None:
    console = Console(file=StringIO(), width=20)
    jobs = jobs_in(tmp_path)
    with Board(jobs, console) as board:
        board.changed(None)
        for one in jobs[:-1]:
            board.changed(one)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert lines == [f"{name}: {line}" for name, line in EXPECTED.items()]


@pytest.mark.parametrize(("seconds", "shown"), [(0.4, "0:00"), (59.6, "1:00"), (3599.7, "1:00:00")])
def test_durations(seconds: float, shown: str) -> None:
    assert _duration(seconds) == shown
