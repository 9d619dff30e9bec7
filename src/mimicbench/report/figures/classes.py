"""Fidelity class by class."""

import numpy as np
from matplotlib.ticker import PercentFormatter

from mimicbench.report.figures.figure import Drawn
from mimicbench.report.style import Theme, canvas, lines
from mimicbench.report.sweep import Sweep

_MOST = 30


def draw(sweep: Sweep, theme: Theme) -> Drawn | None:
    """Of the test images that the mentor puts in a class, the share that the student puts there too."""
    found, classes, others = {}, None, []
    for cell, jobs in sweep.cells.items():
        predictions = [job.predictions for job in jobs if job.predictions is not None]
        if predictions and classes in (None, predictions[0].classes):
            classes = predictions[0].classes
            found[cell] = np.mean([one.class_fidelity() for one in predictions], axis=0)
        elif predictions:
            others.append(cell)
    found = {cell: fidelity for cell, fidelity in found.items() if np.isfinite(fidelity).any()}
    if classes is None or not found:
        return None
    values = np.array(list(found.values()))
    order = np.argsort(np.nan_to_num(values.mean(0), nan=2.0), kind="stable")[:_MOST]
    figure = canvas(6.4, 1.2 + 0.28 * len(order))
    axes = figure.subplots()
    looks = lines(theme, list(found))
    height = np.arange(len(order))[::-1]
    for cell, fidelity in found.items():
        axes.plot(fidelity[order], height, label=cell, markersize=6, **(looks[cell] | {"linestyle": "none"}))
    axes.set_yticks(height, [classes[one] for one in order])
    axes.set_xlabel("Fidelity within the class that the mentor gives")
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.legend(loc="best")
    lowest = [
        f"{cell}: lowest for {classes[int(np.nanargmin(one))]}, {np.nanmin(one):.1%}." for cell, one in found.items()
    ]
    cut = f" The {_MOST} lowest of {len(classes)} classes are drawn." if len(classes) > _MOST else ""
    left = f" Not drawn, for their classes are others: {'; '.join(others)}." if others else ""
    caption = (
        "Of the test images that the mentor puts in a class, the share that the student puts there too; means over "
        f"seeds, classes in ascending order.{cut}{left}"
    )
    return Drawn(figure, caption, " ".join(["Dot chart of fidelity by class.", *lowest]))
