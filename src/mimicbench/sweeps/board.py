"""What a sweep shows on the terminal while it runs: one line a job."""

import json
from collections import Counter
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mimicbench.progress import Progress
from mimicbench.results import FILE
from mimicbench.sweeps.processes import ProcessJob, State


class Board:
    """One live line a job where there is a terminal, and a line for each change where there is none.

    Args:
        jobs: What is shown.
        console: Where.
    """

    def __init__(self, jobs: Sequence[ProcessJob], console: Console | None = None) -> None:
        self._jobs = jobs
        self._console = console or Console(stderr=True)
        self._ended: dict[str, str] = {}
        self._live = (
            Live(self._table(), console=self._console, auto_refresh=False) if self._console.is_terminal else None
        )

    def __enter__(self) -> "Board":
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.update(self._table(), refresh=True)
            self._live.stop()

    def changed(self, job: ProcessJob | None) -> None:
        """Bring the lines up to date; ``job`` is the one whose state has changed, if one has."""
        if self._live:
            self._live.update(self._table(), refresh=True)
        elif job is not None:
            self._console.print(f"{job.name}: {_described(job)}", highlight=False, markup=False, soft_wrap=True)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 3))
        room = self._console.height - 3
        shown = self._jobs if len(self._jobs) <= room else [one for one in self._jobs if one.state is State.RUNNING]
        for job in shown[:room]:
            table.add_row(Text(job.name), Text(self._line(job)))
        if len(shown) < len(self._jobs):
            counts = Counter(job.state.value for job in self._jobs)
            table.add_row("all", ", ".join(f"{count} {state}" for state, count in counts.items()))
        return table

    def _line(self, job: ProcessJob) -> str:
        if job.state in (State.DONE, State.FAILED):  # it changes no more, and its files need not be read again
            return self._ended.setdefault(job.name, _described(job))
        return _described(job)


def _described(job: ProcessJob) -> str:
    if job.state is State.DONE:
        how = "done already" if job.exit_code is None else f"done in {_duration(job.seconds)}"
        try:
            result = json.loads((job.folder / FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return how
        return f"{how}{_accuracy(result['student_accuracy'])}, fidelity {result['fidelity']:.2%}"
    if job.state is State.FAILED:
        return f"failed, see {job.log}"
    if job.state is State.WAITING:
        return "waiting"
    note = Progress.read(job.folder)
    if note is None:
        return "running"
    left = "" if note.seconds_left is None else f", {_duration(note.seconds_left)} left"
    return f"{note.stage}: epoch {note.epoch} of {note.epochs}, {note.share:.0%}{left}{_accuracy(note.accuracy)}"


def _accuracy(share: float | None) -> str:
    return "" if share is None else f", accuracy {share:.2%}"


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
