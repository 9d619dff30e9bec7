"""What was really sent to a mentor, whatever became of the process that sent it."""

from pathlib import Path


class Ledger:
    """A file with one line for each query that was sent: how many images it held.

    Lines are handed to the operating system at once, so that they outlive a process that is killed.

    Args:
        file: Goes on where an earlier process of the same run left it.
        fresh: Begin anew instead.
    """

    def __init__(self, file: Path, fresh: bool) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = file
        if fresh:
            file.unlink(missing_ok=True)

    def note(self, count: int) -> None:
        """Write a line."""
        with self._file.open("a", encoding="ascii") as file:
            file.write(f"{count}\n")

    @property
    def total(self) -> int:
        """Images in all queries so far."""
        if not self._file.exists():
            return 0
        return sum(int(line) for line in self._file.read_text(encoding="ascii").split())
