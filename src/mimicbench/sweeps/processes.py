"""Jobs as processes of their own, so many at a time."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from time import monotonic, sleep
from types import FrameType

LOG = "job.log"
_LOOK = 0.2  # seconds between two looks at the processes
_INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LIBC = ctypes.CDLL(None)  # loaded here, for little is safe between fork and exec
_PR_SET_PDEATHSIG = 1
_PATIENCE = 10.0  # seconds that a process is given to end by itself


class State(Enum):
    """Of a job."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass
class ProcessJob:
    """One job of a sweep.

    Attributes:
        name: What it is called on the terminal.
        folder: Where it works; its output goes to ``job.log`` there.
        command: What is run.
        product: The file in its folder without which it has failed, whatever its exit code; None for no such file.
        state: How far it is.
        exit_code: Of its process; None while there is none. Negative: the signal that ended it.
        seconds: How long its process took.
    """

    name: str
    folder: Path
    command: Sequence[str]
    product: str | None = None
    state: State = State.WAITING
    exit_code: int | None = None
    seconds: float = 0.0

    @property
    def log(self) -> Path:
        """Where its output is."""
        return self.folder / LOG


@dataclass
class _Running:
    job: ProcessJob
    process: subprocess.Popen[bytes]
    slot: int
    since: float


def run_all(
    jobs: Sequence[ProcessJob], slots: Sequence[Mapping[str, str]], changed: Callable[[ProcessJob | None], None]
) -> None:
    """Run all waiting jobs, as many at a time as there are slots; a failed one leaves the others running.

    Each process leads a group of its own. An interruption (Ctrl-C, SIGTERM, a closed terminal) ends all of them before
    it is passed on; where this process is killed, Linux kills them.

    Args:
        jobs: Their state is kept up to date.
        slots: One mapping for each job that may run at a time: what its environment has in addition.
        changed: Told of each job whose state has changed, and of None between two looks.
    """
    waiting = [job for job in jobs if job.state is State.WAITING]
    free = list(range(len(slots)))
    running: list[_Running] = []
    with _termination_as_interruption():
        try:
            while waiting or running:
                while waiting and free:
                    one = _start(waiting.pop(0), free.pop(0), slots)
                    running.append(one)
                    changed(one.job)
                sleep(_LOOK)
                for one in [one for one in running if one.process.poll() is not None]:
                    running.remove(one)
                    free.append(one.slot)
                    _finish(one)
                    changed(one.job)
                changed(None)
        finally:
            _end([one.process for one in running])


def last_lines(file: Path, count: int) -> list[str]:
    """The last lines of a log, without what progress bars wrote over."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    lines = [line.rpartition("\r")[2].rstrip() for line in text.replace("\x1b[A", "").splitlines()]
    return [line for line in lines if line][-count:]


def _start(job: ProcessJob, slot: int, slots: Sequence[Mapping[str, str]]) -> _Running:
    job.folder.mkdir(parents=True, exist_ok=True)
    with job.log.open("ab") as log:  # an earlier try's lines stay
        process = subprocess.Popen(
            job.command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **slots[slot]},
            start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
    job.state = State.RUNNING
    return _Running(job, process, slot, monotonic())


def _finish(one: _Running) -> None:
    one.job.exit_code = one.process.returncode
    made = one.job.product is None or (one.job.folder / one.job.product).exists()
    one.job.state = State.DONE if made and not one.process.returncode else State.FAILED
    one.job.seconds = monotonic() - one.since


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """End processes and all that they started: kindly first, then for good; nothing interrupts it."""
    for number in _INTERRUPTIONS:
        signal.signal(number, signal.SIG_IGN)
    for process in processes:
        _signal(process, signal.SIGTERM)
    until = monotonic() + _PATIENCE
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, until - monotonic()))
        _signal(process, signal.SIGKILL)  # whatever of its group is left
        process.wait()


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


@contextmanager
def _termination_as_interruption() -> Iterator[None]:
    def interrupt(*_: int | FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _INTERRUPTIONS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
