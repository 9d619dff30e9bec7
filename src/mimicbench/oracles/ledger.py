"""What was really sent to a mentor, whatever became of the process that sent it."""

from pathlib import Path

from mimicbench.files import atomic

LEDGER = "queries.txt"
"""In a job's folder."""


class Ledger:
    """A file with one line for each query that was sent: how many images it held.

    Lines are handed to the operating system at once and appended as a whole, so that they outlive a process that is
    killed and several ranks may write. The first names the job.

    Args:
        file: Goes on where an earlier process of the same job left it.
        job: Names the job; the lines of another one are dropped.
        begin: Whether to begin the file where there is none of this job; False where another rank does.
    """

    def __init__(self, file: Path, job: str, *, begin: bool = True) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = file
        if begin and (not file.exists() or file.read_text(encoding="ascii").partition("\n")[0] != job):
            with atomic(file) as temporary:
                temporary.write_text(f"{job}\n", encoding="ascii")

    def note(self, count: int) -> None:
        """Write a line."""
        with self._file.open("a", encoding="ascii") as file:
            file.write(f"{count}\n")

    @property
    def total(self) -> int:
        """Images in all queries so far."""
        _job, *lines = self._file.read_text(encoding="ascii").split()
        return sum(map(int, lines))
