"""The tables of a sweep, as its jobs finish and at its end."""

from pathlib import Path

from mimicbench import results
from mimicbench.report import table


def write(folder: Path) -> None:
    """Bring ``summary.csv`` and ``summary.md`` in a sweep's folder up to date, if a job has finished."""
    finished = results.load(folder)
    if len(finished):
        table.write_summary(finished, folder)


def show(folder: Path) -> None:
    """Print the tables of all finished jobs, and write them."""
    finished = results.load(folder)
    if len(finished):
        table.write_summary(finished, folder)
        table.show(finished)
        print(f"{folder}/summary.csv and summary.md hold the same.")
