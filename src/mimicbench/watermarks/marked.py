"""What a mark did to a mentor."""

import torch

from mimicbench.mentors import Mentor
from mimicbench.results import Mark
from mimicbench.watermarks.watermark import Watermark

_SCORE = 0.9
_ACCURACY = 0.02


def marked(
    scheme: str,
    watermark: Watermark,
    mentor: Mentor,
    unmarked: Mentor,
    accuracies: tuple[float, float],
    device: torch.device,
) -> Mark:
    """Compare a marked mentor with one that was trained alike without the mark.

    Args:
        scheme: The mark's name.
        watermark: The mark.
        mentor: The marked one.
        unmarked: The other.
        accuracies: Of both on the task's test images, the marked one's first.
        device: Where they run.

    Returns:
        With no score of a student yet: 0.
    """
    score, lost = watermark.score(mentor, device), accuracies[1] - accuracies[0]
    return Mark(
        scheme=scheme,
        key=watermark.key,
        triggers=len(watermark.triggers.labels),
        mentor_score=score,
        unmarked_score=watermark.score(unmarked, device),
        accuracy_lost=lost,
        took=score >= _SCORE and lost <= _ACCURACY,
        student_score=0.0,
    )
