"""What a mark did to a mentor."""

import logging
from dataclasses import replace

from mimicbench.mentors import Mentor
from mimicbench.results import Mark
from mimicbench.watermarks.watermark import Watermark

_log = logging.getLogger(__name__)

TOOK = 0.9
"""Score of a mentor's own key from which its mark has taken."""

_ACCURACY = 0.02 + 1e-9  # 0.99 - 0.97 is more than 0.02


def marked(watermark: Watermark, mentor: Mentor, unmarked: Mentor, lost: float) -> Mark:
    """Compare a marked mentor with one that was trained alike without the mark; warn where the mark did not take.

    Args:
        watermark: The mark.
        mentor: The marked one.
        unmarked: The other.
        lost: By how much the marked one is less accurate on the task's test images.

    Returns:
        With no score of a student yet.
    """
    evidence = watermark.evidence
    score = evidence.score(mentor)
    took = score is not None and score >= TOOK and lost <= _ACCURACY
    if not took:
        _log.warning(
            "The mark did not take: the mentor shows %.1f %% of it and lost %.2f points of accuracy; at least 90 %% "
            "and at most 2 points are asked.",
            100 * (score or 0.0),
            100 * lost,
        )
    return Mark(
        scheme=evidence.scheme,
        key=evidence.key,
        size=evidence.size,
        mentor_score=score,
        unmarked_score=evidence.score(unmarked),
        accuracy_lost=lost,
        took=took,
        student_score=None,
        claimed=False,
    )


def with_student(mark: Mark, watermark: Watermark, student: Mentor) -> Mark:
    """What was measured, with the student's score."""
    score = watermark.evidence.score(student)
    return replace(mark, student_score=score, claimed=score is not None and score >= watermark.threshold)
