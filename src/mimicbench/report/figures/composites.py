"""Composites as the student sees them (Figure 1), and what the mentor says of them (Figure 2)."""

import numpy as np
from matplotlib.axes import Axes

from mimicbench.examples import Examples
from mimicbench.report.figures.figure import Drawn
from mimicbench.report.style import Theme, canvas
from mimicbench.report.sweep import Sweep

_GRID = (3, 8)
_SHOWN = 6
_CLASSES = 10  # bars: those of most probability


def grid(sweep: Sweep, theme: Theme) -> Drawn | None:
    """Figure 1: composite images with the shares of their sources."""
    examples = _of_composites(sweep)
    if examples is None:
        return None
    rows, columns = _GRID
    figure = canvas(6.4, 3.1)
    for axes, image, weights in zip(
        figure.subplots(rows, columns).flat, examples.images, examples.weights, strict=False
    ):
        _show(axes, image)
        axes.set_title(_shares(weights), fontsize=8, pad=2)
    for axes in figure.axes[len(examples.images) :]:
        axes.set_visible(False)
    count = min(rows * columns, len(examples.images))
    caption = "Composite images of the first set; above each, how many per cent of each source it holds."
    told = ", ".join(_shares(weights) for weights in examples.weights[:count])
    return Drawn(figure, caption, f"{count} composite images. Shares of their sources: {told}.")


def replies(sweep: Sweep, theme: Theme) -> Drawn | None:
    """Figure 2: composites, the mentor's distribution for each, and what blending those of the sources predicts."""
    examples = _of_composites(sweep)
    if examples is None:
        return None
    count = min(_SHOWN, len(examples.images))
    parts = examples.sources.shape[1]
    figure = canvas(6.4, 1.25 * count)
    panels = figure.subplots(count, parts + 2, width_ratios=[*([1] * (parts + 1)), 3.2], squeeze=False)
    told = []
    for number, (row, weights) in enumerate(zip(panels, examples.weights, strict=False)):
        for axes, source, weight in zip(row, examples.sources[number], weights, strict=False):
            _show(axes, source)
            axes.set_title(f"{weight:.0%}", fontsize=8, pad=2)
        _show(row[parts], examples.images[number])
        row[parts].set_title("composite", fontsize=8, pad=2)
        said, blended = examples.mentor[number], examples.blended[number]
        chosen = np.sort(np.argsort(-(said + blended), kind="stable")[:_CLASSES])
        _bars(row[-1], [examples.classes[one] for one in chosen], said[chosen], blended[chosen], theme)
        top = int(said.argmax())
        told.append(
            f"Composite {number + 1} ({_shares(weights)}): mentor says {examples.classes[top]} with {said[top]:.0%}, "
            f"blending predicts {blended[top]:.0%} for it."
        )
    handles, names = panels[0, -1].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower right", ncols=2)
    distance = float(np.abs(examples.mentor - examples.blended).sum(1).mean())
    caption = (
        "Sources with their shares, their composite, and how the mentor distributes its probability over the classes "
        f"(at most the {_CLASSES} most probable are drawn): bars for what it says, lines for what blending its answers "
        f"to the sources by their shares would predict. Over {len(examples.images)} composites the two are "
        f"{distance:.2f} apart in the mean (L1 distance, at most 2). This is the owner's view, whatever the oracle "
        "shows."
    )
    return Drawn(figure, caption, " ".join(told))


def _of_composites(sweep: Sweep) -> Examples | None:
    every = (job.examples for job in sweep.jobs)
    return next((one for one in every if one is not None and one.sources.shape[1] > 1), None)


def _shares(weights: np.ndarray) -> str:
    return " + ".join(f"{100 * weight:.0f}" for weight in weights)


def _show(axes: Axes, image: np.ndarray) -> None:
    axes.imshow(image if image.shape[-1] == 3 else image[..., 0], cmap="gray", interpolation="nearest")
    axes.set_axis_off()


def _bars(axes: Axes, names: list[str], said: np.ndarray, blended: np.ndarray, theme: Theme) -> None:
    place = np.arange(len(names))
    axes.bar(place, said, color=theme.colours[0], width=0.7, label="mentor says")
    axes.hlines(blended, place - 0.42, place + 0.42, color=theme.colours[1], linewidth=2.2, label="blending predicts")
    axes.set_xticks(place, names, rotation=45 if max(map(len, names)) > 2 else 0, fontsize=7)
    axes.set_ylim(0, 1.02)
    axes.tick_params(axis="y", labelsize=7)
    axes.grid(visible=False, axis="x")
