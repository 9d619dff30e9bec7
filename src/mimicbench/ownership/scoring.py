"""Scores every key of a sweep on every student of its kind."""

import sys
from pathlib import Path
from typing import Any

import pandas as pd

from mimicbench import results
from mimicbench.checkpoints import CHECKPOINT
from mimicbench.errors import UserError
from mimicbench.mentors import Mentor
from mimicbench.ownership.matrix import Matrix
from mimicbench.ownership.owned import Owned
from mimicbench.report import table
from mimicbench.watermarks.evidence import Evidence

SEEDS = ("watermark.key", "mentor.seed")
"""Settings in which the students of one matrix differ, besides their own seed."""


def marked_jobs(folder: Path) -> pd.DataFrame:
    """The finished jobs of a sweep whose mentors were marked, as :func:`mimicbench.results.load`."""
    found = results.load(folder)
    return found[found["watermark.scheme"].notna()] if len(found) else found


def matrices(folder: Path, scratch: Path) -> list[Matrix]:
    """All that a sweep allows: one for each scheme and recipe of students of which it has two keys or more.

    Fine-tuned copies of the mentors are trained, once, and kept in the cache.

    Args:
        folder: The sweep's.
        scratch: Where what is written meanwhile may go.

    Raises:
        UserError: There are none; or a job lacks what it should have left.
    """
    jobs = marked_jobs(folder)
    found = []
    for scheme, of_scheme in jobs.groupby("watermark.scheme", sort=False) if len(jobs) else ():
        arms = table.labels(of_scheme, SEEDS)
        controls: dict[str, Mentor] = {}
        for arm in dict.fromkeys(arms):
            rows = of_scheme[[one == arm for one in arms]].drop_duplicates("watermark.key")  # a key's first student
            if len(rows) > 1:
                print(f"{scheme}, {arm}: {len(rows)} keys on {len(rows)} students", file=sys.stderr)
                found.append(_matrix(str(scheme), arm, rows, scratch, controls))
    if not found:
        raise UserError(
            f"{folder} holds no two finished jobs with marks of one scheme, different keys and one recipe; run "
            "python train.py -m experiment=watermarks, or name a suspect and --mentor."
        )
    return found


def _matrix(scheme: str, arm: str, rows: pd.DataFrame, scratch: Path, controls: dict[str, Mentor]) -> Matrix:
    owned = [Owned.of(Path(folder), scratch) for folder in rows["folder"]]
    evidence = [one.evidence() for one in owned]
    students = [_student(one) for one in owned]
    for one in owned:
        if one.mentor.fingerprint not in controls:
            controls[one.mentor.fingerprint] = one.fine_tuned()
    copies = [controls[one.mentor.fingerprint] for one in owned]
    return Matrix(
        scheme=scheme,
        arm=arm,
        keys=[one.key for one in evidence],
        size=max(one.size for one in evidence),  # a backdoor's depends on its class
        threshold=evidence[0].threshold,
        scores=_scores(evidence, students),
        mentor_scores=[_plain(score) for score in rows["watermark.mentor_score"]],
        took=[bool(took) for took in rows["watermark.took"]],
        mentor_accuracies=[float(one) for one in rows["mentor_accuracy"]],
        student_accuracies=[float(one) for one in rows["student_accuracy"]],
        control_scores=_scores(evidence, copies),
    )


def _student(owned: Owned) -> Mentor:
    return owned.suspect(owned.folder / CHECKPOINT, owned.config.student)


def _scores(evidence: list[Evidence], suspects: list[Mentor]) -> list[list[float | None]]:
    return [[one.score(suspect) for suspect in suspects] for one in evidence]


def _plain(score: Any) -> float | None:
    return None if pd.isna(score) else float(score)
