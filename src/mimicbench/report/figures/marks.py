"""Every key on every student, as heat maps."""

import textwrap

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from mimicbench.ownership import matrix
from mimicbench.report.figures.figure import Drawn
from mimicbench.report.style import Theme, canvas
from mimicbench.report.sweep import Sweep

_ACROSS = 4
_LETTERS = 26  # of a title's line, above a panel


def draw(sweep: Sweep, theme: Theme) -> Drawn | None:
    """One panel a scheme and recipe of students: what each key scores on each student."""
    found = [one for one in matrix.read(sweep.folder) if one.defined]
    if not found:
        return None
    across = min(_ACROSS, len(found))
    down = -(-len(found) // across)
    figure = canvas(0.8 + 2.3 * across, 2.6 * down)
    panels = figure.subplots(down, across, squeeze=False).ravel()
    shown = None
    for axes, one in zip(panels, found, strict=False):
        shown = axes.imshow(one.array, vmin=0, vmax=1, cmap="cividis", interpolation="nearest")
        axes.grid(visible=False)
        axes.set_title(f"{one.scheme}\n{textwrap.fill(one.arm, _LETTERS, break_long_words=False)}", fontsize=8)
        axes.set(xlabel="student of mentor", ylabel="key of mentor")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(integer=True, nbins=5))
            axis.set_major_formatter(_named(one.keys))
    for axes in panels[len(found) :]:
        axes.set_visible(False)
    assert shown is not None
    figure.colorbar(shown, ax=list(panels), label="score", format=PercentFormatter(1, decimals=0), shrink=0.8)
    told = [
        f"{one.scheme}, {one.arm}: {np.diagonal(one.array).mean():.1%} on its own students, "
        f"{one.array[~np.eye(len(one.keys), dtype=bool)].mean():.1%} on others."
        for one in found
    ]
    caption = (
        "What each owner's key (row) scores on the student of each mentor (column). A mark that students carry is a "
        "bright diagonal; what is bright elsewhere would have been found in students that cannot carry it."
    )
    return Drawn(figure, caption, " ".join(["Heat maps of scores of keys on students.", *told]))


def _named(keys: list[int]) -> FuncFormatter:
    """Calls rows and columns by their keys."""
    return FuncFormatter(lambda place, _: str(keys[int(place)]) if 0 <= place < len(keys) else "")
