"""Accuracy over epochs (the paper's Figure 3), and accuracy and fidelity over queries, which the paper leaves out."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from mimicbench.report.figures.figure import Drawn
from mimicbench.report.style import Theme, canvas, lines
from mimicbench.report.sweep import Sweep

_SPREAD = "Lines are means over seeds, bands reach from the lowest to the highest seed."


def over_epochs(sweep: Sweep, theme: Theme) -> Drawn | None:
    """Figure 3: the student's test accuracy after every epoch, and the mentor's as a line."""
    curves = sweep.curves("epoch", "test/accuracy")
    if not curves:
        return None
    figure = canvas(6.4, 3.8)
    axes = figure.subplots()
    _draw(axes, curves, theme)
    _mentor(axes, sweep, theme)
    axes.set(xlabel="Epoch", ylabel="Test accuracy")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="lower right")
    told = [
        f"{cell}: {first:.1%} after epoch 1, {last:.1%} after epoch {epochs}."
        for cell, first, last, epochs in _ends(curves)
    ]
    caption = f"Test accuracy of the student after every epoch; the dashed line is the mentor. {_SPREAD}"
    return Drawn(figure, caption, " ".join(["Line chart of test accuracy over epochs.", *told]))


def over_queries(sweep: Sweep, theme: Theme) -> Drawn | None:
    """Accuracy and fidelity against the number of images that the mentor had answered."""
    both = {name: sweep.curves("queries", f"test/{name}") for name in ("accuracy", "fidelity")}
    if not any(both.values()):
        return None
    figure = canvas(6.4, 5.6)
    panels = figure.subplots(2, sharex=True)
    told = ["Two line charts over the number of queries, on a logarithmic axis."]
    for axes, (name, curves) in zip(panels, both.items(), strict=True):
        _draw(axes, curves, theme)
        axes.set(xscale="log", ylabel=f"Test {name}")
        told += [f"{cell}: {name} {last:.1%} at {queries:,.0f} queries." for cell, _, last, queries in _ends(curves)]
    _mentor(panels[0], sweep, theme)
    panels[1].set_xlabel("Queries (images answered by the mentor)")
    panels[0].legend(loc="best")
    caption = (
        "What the queries bought: test accuracy, and fidelity (the share of test images on which student and mentor "
        "agree), after every epoch, by the number of images that the mentor had answered until then. An attack that "
        f"asks its whole set before the first epoch is one point, that of its last epoch. {_SPREAD}"
    )
    return Drawn(figure, caption, " ".join(told))


def _draw(axes: Axes, curves: dict[str, pd.DataFrame], theme: Theme) -> None:
    looks = lines(theme, list(curves))
    for cell, frame in curves.items():
        mean = frame.mean(axis=1)
        axes.plot(mean.index, mean, label=cell, markersize=4, linewidth=1.6, **looks[cell])
        if frame.shape[1] > 1:
            low, high = frame.min(axis=1), frame.max(axis=1)
            axes.fill_between(mean.index, low, high, color=looks[cell]["color"], alpha=0.2, linewidth=0)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))


def _mentor(axes: Axes, sweep: Sweep, theme: Theme) -> None:
    accuracies = sorted({job.mentor_accuracy for job in sweep.jobs if job.mentor_accuracy == job.mentor_accuracy})
    for number, accuracy in enumerate(accuracies):
        label = None if number else "Mentor"
        axes.axhline(accuracy, color=theme.ink, linestyle=(0, (6, 3)), linewidth=1.2, label=label)


def _ends(curves: dict[str, pd.DataFrame]) -> Sequence[tuple[str, float, float, float]]:
    means = {cell: frame.mean(axis=1) for cell, frame in curves.items()}
    return [(cell, mean.iloc[0], mean.iloc[-1], mean.index[-1]) for cell, mean in means.items()]
