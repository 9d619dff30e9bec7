"""Is a student as sure as its mentor, and as rightly?"""

from typing import Any

import numpy as np
from matplotlib.ticker import PercentFormatter

from mimicbench.predictions import Calibration, Predictions
from mimicbench.report.figures.figure import Drawn
from mimicbench.report.style import Theme, canvas, lines
from mimicbench.report.sweep import Sweep

_BINS = 15


def draw(sweep: Sweep, theme: Theme) -> Drawn | None:
    """Accuracy by confidence, of students and mentor (Guo et al. 2017, "On calibration of modern neural networks")."""
    kept = {
        cell: [job.predictions for job in jobs if job.predictions is not None] for cell, jobs in sweep.cells.items()
    }
    kept = {cell: predictions for cell, predictions in kept.items() if predictions}
    if not kept:
        return None
    figure = canvas(6.4, 4.4)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=theme.faint, linewidth=1.5, label="as sure as right")
    looks = lines(theme, list(kept))
    drawn: dict[str, tuple[Calibration, dict[str, Any]]] = {}
    mentors = _mentors(kept)
    for cell, look in lines(theme, list(mentors)).items():
        name, mentor = "Mentor" if len(mentors) == 1 else f"Mentor of {cell}", mentors[cell]
        drawn[name] = mentor.calibration(mentor.mentor, _BINS), look | {"color": theme.ink, "fillstyle": "none"}
    for cell, predictions in kept.items():
        together = _together(predictions)
        drawn[cell] = (together.calibration(together.student, _BINS), looks[cell])
    told = []
    for name, (calibration, look) in drawn.items():
        filled = calibration.count > 0
        label = f"{name}: ECE {calibration.error:.3f}"
        axes.plot(calibration.confidence[filled], calibration.accuracy[filled], label=label, markersize=5, **look)
        told.append(f"{label}.")
    axes.set(xlabel="Confidence (probability of the class given)", ylabel="Share that is right")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.legend(loc="upper left")
    caption = (
        f"Test images in {_BINS} bins of confidence, seeds together: a curve below the diagonal is of a network that "
        "is surer than it is right. ECE is the expected calibration error. Means over few images scatter."
    )
    return Drawn(figure, caption, " ".join(["Line chart of the share of right answers over confidence.", *told]))


def _mentors(kept: dict[str, list[Predictions]]) -> dict[str, Predictions]:
    """Those that differ, by the first cell in which each is mimicked."""
    found: dict[str, Predictions] = {}
    for cell, predictions in kept.items():
        if not any(np.array_equal(predictions[0].mentor, one.mentor) for one in found.values()):
            found[cell] = predictions[0]
    return found


def _together(predictions: list[Predictions]) -> Predictions:
    alike = [one for one in predictions if one.classes == predictions[0].classes]
    joined = {name: np.concatenate([getattr(one, name) for one in alike]) for name in ("labels", "mentor", "student")}
    return Predictions(predictions[0].classes, **joined)
