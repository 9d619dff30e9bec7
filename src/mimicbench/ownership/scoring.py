"""Scores every key of a sweep on every student of its kind."""

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from mimicbench import results
from mimicbench.checkpoints import CHECKPOINT
from mimicbench.errors import UserError
from mimicbench.mentors import Mentor
from mimicbench.ownership.matrix import Matrix
from mimicbench.ownership.owned import Owned
from mimicbench.ownership.verdict import ENOUGH_TO_DETECT
from mimicbench.report import table
from mimicbench.watermarks.evidence import Evidence

SEEDS = ("watermark.key", "pool.watermark.key", "mentor.seed")
"""Settings in which the students of one matrix differ, besides their own seed."""


def matrices(folder: Path, scratch: Path) -> list[Matrix]:
    """All that a sweep allows: one for each scheme and recipe of students of which it has two keys or more.

    Fine-tuned copies of the mentors are trained, once, and kept in the cache. Jobs that lack what they should have left
    are named and left out, as are further students of one key, and recipes with one key. Students that were distilled,
    from all that the mentor was trained on and its softmax, have a matrix of their own, and are the second positive
    control of all others whose mentors were trained alike, once there are enough of them to be detected.

    Args:
        folder: The sweep's.
        scratch: Where what is written meanwhile may go.

    Raises:
        UserError: There are none.
    """
    marked = results.load(folder)
    marked = marked[marked["watermark.scheme"].notna()] if len(marked) else marked
    found: list[Matrix] = []
    for scheme, of_scheme in marked.groupby("watermark.scheme", sort=False) if len(marked) else ():
        found += _of_scheme(str(scheme), of_scheme, scratch)
    if not found:
        raise UserError(
            f"{folder} holds no two finished jobs with marks of one scheme, different keys and one recipe; run "
            "python train.py -m experiment=watermarks, or name a suspect and --mentor."
        )
    return found


@dataclass(frozen=True)
class _Scored:
    """What a job has for a matrix."""

    owned: Owned
    evidence: Evidence
    student: Mentor
    result: dict[Any, Any]


def _of_scheme(scheme: str, rows: pd.DataFrame, scratch: Path) -> list[Matrix]:
    """Those of one scheme's jobs: one for each recipe of students."""
    arms = table.labels(rows, SEEDS)
    controls: dict[str, Mentor] = {}
    found: list[tuple[str, Matrix]] = []
    distilled: dict[str, Matrix] = {}
    for arm in dict.fromkeys(arms):
        jobs = _scored(rows[[one == arm for one in arms]], scratch)
        if len(jobs) < 2:
            print(f"{scheme}, {arm} is left out: it has fewer than two keys", file=sys.stderr)
            continue
        print(f"{scheme}, {arm}: {len(jobs)} keys on {len(jobs)} students", file=sys.stderr)
        one, mentors = _matrix(scheme, arm, jobs, controls), _trained_alike(jobs[0])
        found.append((mentors, one))
        if not all(map(_is_distilled, jobs)):
            continue
        if len(jobs) < ENOUGH_TO_DETECT:
            print(f"{scheme}, {arm} is no control yet: that takes {ENOUGH_TO_DETECT} keys", file=sys.stderr)
        elif (first := distilled.setdefault(mentors, one)) is not one:
            print(f"{scheme}, {arm} is no control: {first.arm} is one already", file=sys.stderr)
    for mentors, one in found:
        if distilled and mentors not in distilled:
            print(f"{scheme}, {one.arm} has no distilled control: its mentors were trained otherwise", file=sys.stderr)
    return [_controlled(one, distilled.get(mentors)) for mentors, one in found]


def _controlled(one: Matrix, distilled: Matrix | None) -> Matrix:
    return one if distilled is None or distilled is one else replace(one, distilled_scores=distilled.scores)


def _trained_alike(job: _Scored) -> str:
    """What a job's mentor has in common with those of other keys, whatever the processor and its precision."""
    config = job.owned.config
    mentor = {name: value for name, value in config.mentor.items() if name not in ("seed", "checkpoint_minutes")}
    mark = config.watermark or {}
    watermark = {name: value for name, value in mark.items() if name not in ("key", "threshold")}
    return json.dumps([job.owned.task.fingerprint, mentor, watermark], sort_keys=True)


def _is_distilled(job: _Scored) -> bool:
    """Whether its student had all that the mentor was trained on before it, the mark's images too, and its softmax."""
    config, mark = job.owned.config, job.owned.watermark
    all_of_it = config.pool["name"] == "training_images" and config.pool.get("watermark") == config.watermark
    softmax = config.oracle["name"] == "softmax" and config.attack["name"] == "standard"
    return all_of_it and mark is not None and mark.images is not None and softmax and config.attack["use"] == "reply"


def _scored(rows: pd.DataFrame, scratch: Path) -> list[_Scored]:
    """Each key's first job that has all that is needed, by their keys; others are named and left out."""
    found: list[_Scored] = []
    for result in rows.to_dict("records"):
        folder = Path(result["folder"])
        if any(one.result["watermark.key"] == result["watermark.key"] for one in found):
            print(f"{folder.name} is left out: a further student of its key", file=sys.stderr)
            continue
        try:
            owned = Owned.of(folder, scratch)
            student = owned.suspect(folder / CHECKPOINT, owned.config.student)
            found.append(_Scored(owned, owned.evidence(), student, result))
        except UserError as error:
            print(f"{folder.name} is left out: {error}", file=sys.stderr)
    return sorted(found, key=lambda one: one.evidence.key)


def _matrix(scheme: str, arm: str, jobs: list[_Scored], controls: dict[str, Mentor]) -> Matrix:
    for one in jobs:
        if one.owned.mentor.fingerprint not in controls:
            controls[one.owned.mentor.fingerprint] = one.owned.fine_tuned()
    evidence = [one.evidence for one in jobs]
    copies = [controls[one.owned.mentor.fingerprint] for one in jobs]
    return Matrix(
        scheme=scheme,
        arm=arm,
        keys=[one.key for one in evidence],
        size=max(one.size for one in evidence),  # a backdoor's depends on its class
        threshold=evidence[0].threshold,
        scores=scores(evidence, [one.student for one in jobs]),
        mentor_scores=[_plain(one.result["watermark.mentor_score"]) for one in jobs],
        took=[bool(one.result["watermark.took"]) for one in jobs],
        mentor_accuracies=[float(one.result["mentor_accuracy"]) for one in jobs],
        student_accuracies=[float(one.result["student_accuracy"]) for one in jobs],
        control_scores=scores(evidence, copies),
        distilled_scores=None,
    )


def scores(evidence: list[Evidence], suspects: list[Mentor]) -> list[list[float | None]]:
    """What each key (row) scores on each suspect (column)."""
    return [[one.score(suspect) for suspect in suspects] for one in evidence]


def _plain(score: Any) -> float | None:
    return None if pd.isna(score) else float(score)
