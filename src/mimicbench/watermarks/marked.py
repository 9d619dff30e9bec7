"""What a mark did to a mentor."""

from dataclasses import replace

from mimicbench.mentors import Mentor
from mimicbench.results import Mark
from mimicbench.watermarks.watermark import Watermark

_SCORE = 0.9
_ACCURACY = 0.02


def marked(watermark: Watermark, mentor: Mentor, unmarked: Mentor, lost: float) -> Mark:
    """Compare a marked mentor with one that was trained alike without the mark.

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
    return Mark(
        scheme=evidence.scheme,
        key=evidence.key,
        size=evidence.size,
        mentor_score=score,
        unmarked_score=evidence.score(unmarked),
        accuracy_lost=lost,
        took=score is not None and score >= _SCORE and lost <= _ACCURACY,
        student_score=None,
        claimed=False,
    )


def with_student(mark: Mark, watermark: Watermark, student: Mentor) -> Mark:
    """What was measured, with the student's score."""
    score = watermark.evidence.score(student)
    return replace(mark, student_score=score, claimed=score is not None and score >= watermark.threshold)
