"""A sweep as its folder holds it: what is there, and what is missing."""

import csv
import shlex
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from mimicbench.checkpoints import CHECKPOINT
from mimicbench.errors import UserError
from mimicbench.examples import Examples
from mimicbench.predictions import Predictions
from mimicbench.report import table
from mimicbench.report.planned import planned
from mimicbench.results import FILE, load
from mimicbench.sweeps.folders import saved_overrides
from mimicbench.sweeps.processes import LOG

_METRICS = "metrics.csv"


@dataclass(frozen=True)
class Job:
    """A finished job.

    Attributes:
        folder: Its own.
        seed: Of the student.
        cell: What it shares with the jobs of other seeds, in words.
        mentor_accuracy: As in its result; NaN where that lacks it.
    """

    folder: Path
    seed: int
    cell: str
    mentor_accuracy: float

    @cached_property
    def curve(self) -> pd.DataFrame:
        """One row an epoch: those of ``step``, ``queries``, ``test/accuracy`` and ``test/fidelity`` that it left."""
        try:
            with (self.folder / _METRICS).open(newline="", encoding="utf-8") as lines:
                rows = [{key: value for key, value in row.items() if key and value} for row in csv.DictReader(lines)]
            numbers = pd.DataFrame(rows).apply(pd.to_numeric, errors="coerce")
        except (OSError, ValueError, csv.Error):
            return pd.DataFrame()
        if "step" not in numbers:
            return pd.DataFrame()
        merged: pd.DataFrame = numbers.groupby("step", as_index=False).first()
        return merged

    @cached_property
    def predictions(self) -> Predictions | None:
        """On the test images, if it left them."""
        return Predictions.read(self.folder)

    @cached_property
    def examples(self) -> Examples | None:
        """Of what it trained on, if it left them."""
        return Examples.read(self.folder)

    @property
    def command(self) -> str | None:
        """What repeats it, in a checkout; None where its overrides were not kept."""
        overrides = saved_overrides(self.folder)
        return None if overrides is None else shlex.join(["python", "train.py", *overrides])


@dataclass(frozen=True)
class Sweep:
    """The jobs under a folder.

    Attributes:
        folder: What was read.
        results: As :func:`mimicbench.results.load`, one row a finished job.
        jobs: The same jobs, in the same order.
        unfinished: Sentences that say which of its jobs have no result.
        missing: These, and what finished jobs lack.
    """

    folder: Path
    results: pd.DataFrame
    jobs: list[Job]
    unfinished: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Path) -> "Sweep":
        """Read a sweep, or any folder that holds jobs.

        Raises:
            UserError: There is no such folder, or no job of mimicbench in it.
        """
        if not folder.is_dir():
            raise UserError(f"{folder} is not a folder; name that of a sweep, such as multirun_outputs/….")
        results = load(folder)
        jobs = []
        if len(results):
            accuracies = pd.to_numeric(results["mentor_accuracy"]).tolist()
            described = zip(results["folder"], results["seed"], table.labels(results), accuracies, strict=True)
            jobs = [Job(Path(path), seed, cell, accuracy) for path, seed, cell, accuracy in described]
        unfinished = _not_begun(folder) + _unfinished(folder, {job.folder for job in jobs})
        if not jobs and not unfinished:
            raise UserError(
                f"{folder} holds no job of mimicbench; name the folder of a sweep, such as multirun_outputs/…."
            )
        return cls(folder, results, jobs, unfinished, unfinished + _incomplete(jobs))

    @property
    def cells(self) -> dict[str, list[Job]]:
        """The jobs of each cell, which differ in their seeds alone."""
        found: dict[str, list[Job]] = {}
        for job in self.jobs:
            found.setdefault(job.cell, []).append(job)
        return found

    def curves(self, x: str, y: str) -> dict[str, pd.DataFrame]:
        """A column of the curves over another, for each cell that has both.

        Args:
            x: Such as ``step`` or ``queries``; ``epoch`` counts the rows.
            y: Such as ``test/accuracy``.

        Returns:
            For each cell, a frame indexed by ``x`` with a column for each job.
        """
        found = {}
        for cell, jobs in self.cells.items():
            columns = []
            for number, job in enumerate(jobs):
                curve = job.curve
                if y not in curve or (x != "epoch" and x not in curve):
                    continue
                rows = curve.dropna(subset=[y] if x == "epoch" else [x, y])
                index = np.arange(1, len(rows) + 1) if x == "epoch" else rows[x]
                columns.append(pd.Series(rows[y].to_numpy(), index, name=number).groupby(level=0).last())
            if columns and sum(map(len, columns)):
                found[cell] = pd.concat(columns, axis=1).sort_index()
        return found


def _not_begun(folder: Path) -> list[str]:
    begun = {saved_overrides(file.parents[1]) for file in folder.rglob(".hydra/overrides.yaml")}
    jobs = planned(folder)
    return [f"{shlex.join(job)} has not begun." for job in jobs if job not in begun]


def _unfinished(folder: Path, finished: set[Path]) -> list[str]:
    begun = {file.parents[1] for file in folder.rglob(".hydra/overrides.yaml")}
    begun |= {file.parent for name in (LOG, CHECKPOINT) for file in folder.rglob(name)}
    sentences = []
    for job in sorted(begun - finished):
        name = job.relative_to(folder)
        if (job / FILE).exists():
            sentences.append(f"{name}: its {FILE} cannot be read, or is of a layout that is not known.")
        else:
            left = (
                "it left a checkpoint, and the same command goes on from there"
                if (job / CHECKPOINT).exists()
                else "it left no checkpoint"
            )
            sentences.append(f"{name} has no result: it failed, was cut off, or still runs; {left}.")
    return sentences


def _incomplete(jobs: list[Job]) -> list[str]:
    """What finished jobs lack, such as those of an older version."""
    lacks = {
        "no curve (metrics.csv), and is not in the figures over epochs and queries": [j for j in jobs if j.curve.empty],
        "no predictions (predictions.npz), and is not in the figures of classes and calibration": [
            job for job in jobs if job.predictions is None
        ],
        "no overrides (.hydra/overrides.yaml), and no command that repeats it": [j for j in jobs if j.command is None],
    }
    return [f"{job.folder.name} left {what}." for what, without in lacks.items() for job in without]
