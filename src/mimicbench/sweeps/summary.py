"""The tables of a sweep, as its jobs finish and at its end."""

import subprocess
import sys
from pathlib import Path

from mimicbench import results
from mimicbench.report import table


def write(folder: Path) -> None:
    """Bring ``summary.csv`` and ``summary.md`` in a sweep's folder up to date, if a job has finished."""
    finished = results.load(folder)
    if len(finished):
        table.write_summary(finished, folder)


def show(folder: Path, report: bool) -> None:
    """Print the tables of all finished jobs, and write them, and the report if it is wanted."""
    finished = results.load(folder)
    if len(finished):
        table.write_summary(finished, folder)
        table.show(finished)
        print(f"{folder}/summary.csv and summary.md hold the same.")
        if report:  # in processes of their own: PyTorch may not be imported while this one ends
            modules = ["mimicbench.report"]
            if finished["watermark.key"].nunique() > 1:
                modules.insert(0, "mimicbench.ownership")
            for module in modules:
                subprocess.run([sys.executable, "-m", module, str(folder)], check=False)
