"""Every key of a scheme on every student of one recipe, and what that says."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mimicbench.files import atomic, writing
from mimicbench.ownership.statistics import pairing_p_value
from mimicbench.ownership.verdict import ENOUGH_TO_DETECT, LEVEL, Gate, Verdict, close, each_close, judged

FILE = "ownership.json"
"""In the folder of a sweep."""


@dataclass(frozen=True)
class Matrix:
    """K keys on K students.

    Attributes:
        scheme: The mark's.
        arm: What the students have in common, such as ``Composite, label``.
        keys: The K keys.
        size: Triggers, or bits, of one key.
        threshold: The score from which an owner claims a suspect.
        scores: Of key i (row) on the student of mentor j; K × K numbers in [0, 1], None where that is not defined.
        mentor_scores: Of each key on its own mentor.
        took: Whether each mark took.
        mentor_accuracies: Of the K mentors, on the task's test images.
        student_accuracies: Of the K students.
        control_scores: As ``scores``, on fine-tuned copies of the mentors: the positive control.
        distilled_scores: As ``scores``, on students that learned the mentors' own training images, marked ones too, by
            their softmax: a second positive control, of students that start from weights of their own; None where none
            were made.
    """

    scheme: str
    arm: str
    keys: list[int]
    size: int
    threshold: float
    scores: list[list[float | None]]
    mentor_scores: list[float | None]
    took: list[bool]
    mentor_accuracies: list[float]
    student_accuracies: list[float]
    control_scores: list[list[float | None]]
    distilled_scores: list[list[float | None]] | None

    @property
    def defined(self) -> bool:
        """Whether the test is defined on these students."""
        return all(score is not None for row in self.scores for score in row)

    @property
    def array(self) -> np.ndarray:
        """``scores`` as float64 [K, K], NaN where they are not defined."""
        return np.array(self.scores, dtype=np.float64)

    @property
    def gates(self) -> list[Gate]:
        """What must hold for the matrix to say anything."""
        failed = len(self.took) - sum(self.took)
        count = len(self.keys)
        enough = Gate(
            f"there should be {ENOUGH_TO_DETECT} keys or more: chance pairs {count} rightly too often",
            count >= ENOUGH_TO_DETECT,
        )
        gates = [
            *([] if enough.passed else [enough]),
            Gate(f"the mark should take in all {len(self.took)} mentors: it did not in {failed}", not failed),
            close(self.mentor_accuracies, self.student_accuracies),
            _detected("fine-tuned copies of the mentors", self.control_scores),
        ]
        if self.distilled_scores is not None:
            gates.append(_detected("students of all that the mentors were trained on", self.distilled_scores))
        return gates

    @property
    def innocents_claimed(self) -> tuple[int, int]:
        """How often a key is over the owner's threshold on a student of another mentor; and of how many pairs."""
        others = self.array[~np.eye(len(self.keys), dtype=bool)]
        return int((others >= self.threshold).sum()), len(others)

    @property
    def verdict(self) -> Verdict | None:
        """What it says; None where the test is not defined on these students."""
        every = each_close(self.mentor_accuracies, self.student_accuracies)
        return judged(self.array, self.threshold, self.gates, [every]) if self.defined else None


def _detected(what: str, scores: list[list[float | None]]) -> Gate:
    found = np.array(scores, dtype=np.float64)
    if np.isnan(found).any():
        return Gate(f"{what} should be detected: the test is not defined on them", False)
    p_value = pairing_p_value(found)
    return Gate(f"{what} should be detected: p = {p_value:.2g}", p_value <= LEVEL)


def write(matrices: Iterable[Matrix], folder: Path) -> Path:
    """Write ``ownership.json``, the verdicts in it."""
    rows = []
    for one in matrices:
        verdict = one.verdict
        gates = [asdict(gate) for gate in one.gates]
        rows.append(asdict(one) | {"gates": gates, "verdict": None if verdict is None else asdict(verdict)})
    with writing(folder, "the folder of the sweep"), atomic(folder / FILE) as temporary:
        temporary.write_text(json.dumps(rows, indent=1) + "\n")
    return folder / FILE


def read(folder: Path) -> list[Matrix]:
    """Those of a sweep; none where they were not made, or cannot be read."""
    try:
        rows: list[dict[str, Any]] = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return [Matrix(**{name: row[name] for name in Matrix.__annotations__}) for row in rows]
    except (OSError, ValueError, TypeError, KeyError):
        return []
