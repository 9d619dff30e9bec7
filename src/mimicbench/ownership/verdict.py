"""What may be said of students and marks, and in which words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mimicbench.ownership.statistics import Bound, excess, most_carriers, pairing_p_value, upper_bound

Word = Literal["detected", "not detected", "absent", "inconclusive", "undefined"]

MARGIN = 0.05
"""δ: an excess below this is as good as none."""

LEVEL = 0.05
"""Of false alarms."""

_ROUNDING = 1e-9
"""Of accuracies: 0.99 - 0.94 is more than 0.05."""

ENOUGH_TO_DETECT = 4
"""Keys with which a permutation test can find anything: the true pairing is one of 24."""

ENOUGH_FOR_ABSENCE = 20
"""Keys without which a mark is never called absent: none of 20 carriers leaves a share of 13.9 % possible."""

CLOSE = 0.05
"""How much less accurate than their mentors students may be to be copies of them."""


@dataclass(frozen=True)
class Gate:
    """A condition without which a test says nothing.

    Attributes:
        name: In words.
        passed: Whether it holds.
    """

    name: str
    passed: bool


def close(mentors: Sequence[float], students: Sequence[float]) -> Gate:
    """That students copy their mentors, on average.

    Args:
        mentors: Their accuracies, from 0 to 1.
        students: Those of their students, in the same order.
    """
    lost = np.subtract(mentors, students)
    told = _below(lost.mean()) if len(lost) == 1 else f"{_below(lost.mean())} on average, {_below(lost.max())} at worst"
    one = "the student" if len(lost) == 1 else "students"
    return Gate(
        f"{one} should be at most {100 * CLOSE:g} points below the mentor: {told}",
        bool(lost.mean() <= CLOSE + _ROUNDING),
    )


def each_close(mentors: Sequence[float], students: Sequence[float]) -> Gate:
    """That every student copies its mentor: a poor one shows no mark, and would pass for one that carries none.

    Args:
        mentors: Their accuracies, from 0 to 1.
        students: Those of their students, in the same order.
    """
    far = int((np.subtract(mentors, students) > CLOSE + _ROUNDING).sum())
    return Gate(
        f"no student should be more than {100 * CLOSE:g} points below its mentor: {far} of {len(students)} are", not far
    )


def _below(lost: float) -> str:
    return f"{100 * abs(lost):.1f} points {'below' if lost > 0 else 'above'}"


@dataclass(frozen=True)
class Verdict:
    """What a matrix of scores says.

    Attributes:
        word: In short.
        sentence: The word with what it rests on.
        excess: Mean score of keys on their own mentors' students less that on others.
        bound: Its upper confidence bound.
        p_value: Of the excess, by permuting which student belongs to which key.
        carriers: Students over the owner's threshold.
        most_carriers: The largest share of such students that is compatible with it.
    """

    word: Word
    sentence: str
    excess: float
    bound: Bound
    p_value: float
    carriers: int
    most_carriers: float


def judged(
    scores: np.ndarray, threshold: float, gates: list[Gate], for_absence: Sequence[Gate] = (), margin: float = MARGIN
) -> Verdict:
    """Judge a matrix of scores.

    ``detected`` where the p-value of the excess is at most 0.05. ``absent (non-inferiority, δ = 5 points)`` where the
    upper 95 % bound of the excess is below δ, no student is over the owner's threshold, and there are twenty keys or
    more. ``inconclusive`` where a gate failed. Else ``not detected``, which is all that few models can show.

    Args:
        scores: float [K, K], of key i on the student of mentor j, in [0, 1].
        threshold: The score from which an owner would claim a student.
        gates: What must hold.
        for_absence: What must hold besides for ``absent``.
        margin: δ.
    """
    count = len(scores)
    found = excess(scores)
    p_value = pairing_p_value(scores)
    bound = upper_bound(scores)
    carriers = int((np.diagonal(scores) >= threshold).sum())
    failed = _failed(gates)
    word: Word = "not detected"
    told = f"{count} keys: not detected"
    if failed:
        word, told = "inconclusive", failed
    elif p_value <= LEVEL:
        word, told = "detected", "detected"
    elif bound.upper < margin and not carriers and count >= ENOUGH_FOR_ABSENCE and not _failed(for_absence):
        word, told = "absent", f"absent (non-inferiority, δ = {100 * margin:g} points)"
    return Verdict(word, told, found, bound, p_value, carriers, most_carriers(carriers, count))


def judged_alone(p_value: float, gates: list[Gate]) -> tuple[Word, str]:
    """Judge one suspect: word and sentence. Of one alone, absence can never be said.

    Args:
        p_value: Of what it shows.
        gates: What must hold.
    """
    if failed := _failed(gates):
        return "inconclusive", failed
    return ("detected", "detected") if p_value <= LEVEL else ("not detected", "not detected")


def _failed(gates: Sequence[Gate]) -> str:
    """What to say where gates failed, else nothing."""
    names = [gate.name for gate in gates if not gate.passed]
    return f"inconclusive (gate failed: {'; '.join(names)})" if names else ""
