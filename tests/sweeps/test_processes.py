import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mimicbench.sweeps.processes import ProcessJob, State, last_lines, run_all


def job(folder: Path, code: str, **changes: object) -> ProcessJob:
    made = ProcessJob(folder.name, folder, [sys.executable, "-c", code])
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{process}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_failed_job_leaves_the_others_running(tmp_path: Path) -> None:
    jobs = [
        job(tmp_path / "good", "print('fine')"),
        job(tmp_path / "bad", "import sys; print('before'); sys.exit('broken')"),
        job(tmp_path / "killed", "import os; os.kill(os.getpid(), 9)"),
        job(tmp_path / "old", "raise SystemExit('must not run')", state=State.DONE),
        job(tmp_path / "last", "print('too')"),
    ]
    told: list[tuple[str, State]] = []
    run_all(jobs, [{}], lambda one: told.append((one.name, one.state)) if one else None)
    assert [one.state for one in jobs] == [State.DONE, State.FAILED, State.FAILED, State.DONE, State.DONE]
    assert [one.exit_code for one in jobs] == [0, 1, -9, None, 0]
    assert last_lines(jobs[1].log, 5) == ["before", "broken"]
    assert not jobs[3].folder.exists()
    ends = {"good": State.DONE, "bad": State.FAILED, "killed": State.FAILED, "last": State.DONE}
    assert told == [(name, state) for name, end in ends.items() for state in (State.RUNNING, end)]


def test_a_job_that_does_not_leave_its_product_has_failed(tmp_path: Path) -> None:
    codes = {"makes": "open(sys.argv[1], 'w')", "does not": "pass"}
    jobs = [job(tmp_path / name, f"import sys; {code}", product="result.json") for name, code in codes.items()]
    for one in jobs:
        one.command = [*one.command, str(one.folder / "result.json")]
    run_all(jobs, [{}], lambda _: None)
    assert [(one.state, one.exit_code) for one in jobs] == [(State.DONE, 0), (State.FAILED, 0)]


def test_as_many_at_a_time_as_there_are_slots_each_with_its_own_environment(tmp_path: Path) -> None:
    code = "import os, time; print(os.environ['SLOT'], time.time()); time.sleep(0.5); print('-', time.time())"
    jobs = [job(tmp_path / str(number), code) for number in range(5)]
    run_all(jobs, [{"SLOT": "a"}, {"SLOT": "b"}], lambda _: None)
    lines = [[line.split() for line in last_lines(one.log, 2)] for one in jobs]
    spans = [(float(first[1]), float(last[1]), first[0]) for first, last in lines]
    assert {slot for _, _, slot in spans} == {"a", "b"}
    for begin, _, slot in spans:
        running = [other for first, last, other in spans if first <= begin < last]
        assert len(running) <= 2
        assert running.count(slot) == 1
    assert max(sum(first <= begin < last for first, last, _ in spans) for begin, _, _ in spans) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_an_interruption_ends_all_children_and_theirs(number: signal.Signals, tmp_path: Path) -> None:
    child = (
        "import os, signal, subprocess, sys, time; "
        "inner = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(%d)']); "
        "print(os.getpid(), inner.pid, flush=True); time.sleep(60)"
    )
    # What a job has started itself outlives the launcher only where that is killed.
    child %= 1 if number == signal.SIGKILL else 60
    parent = (
        "import sys; from pathlib import Path; from tests.sweeps.test_processes import job, run_all; "
        f"run_all([job(Path({str(tmp_path)!r}) / str(n), {child!r}) for n in range(3)], [{{}}, {{}}], lambda _: None)"
    )
    process = subprocess.Popen([sys.executable, "-c", parent], stderr=subprocess.PIPE)
    logs = [tmp_path / str(n) / "job.log" for n in range(2)]
    until = time.monotonic() + 30
    while not all(log.exists() and log.read_text().endswith("\n") for log in logs) and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode != 0
    assert (b"KeyboardInterrupt" in said) == (number != signal.SIGKILL)
    started = [int(one) for log in logs for one in log.read_text().split()]
    assert len(started) == 4
    until = time.monotonic() + 5
    while any(map(is_alive, started)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(is_alive, started))
    assert not (tmp_path / "2").exists()


def test_the_last_lines_are_what_a_terminal_would_show(tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    log.write_bytes(b"first\nEpoch 0: 1%\rEpoch 0: 100%\n\n\x1b[A\nlast \xff\n")
    assert last_lines(log, 2) == ["Epoch 0: 100%", "last �"]
    assert last_lines(tmp_path / "none", 2) == []
