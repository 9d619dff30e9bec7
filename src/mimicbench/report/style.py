"""How figures look: two themes, and colours that colour-blind readers tell apart."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure


@dataclass(frozen=True)
class Theme:
    """Colours for one background.

    Attributes:
        name: ``light`` or ``dark``.
        background: Of page and figures.
        ink: Of text and axes.
        faint: Of grids.
        colours: Of cells, in order: after Okabe and Ito 2008, brighter on the dark ground.
    """

    name: str
    background: str
    ink: str
    faint: str
    colours: tuple[str, ...]


LIGHT = Theme(
    "light", "#ffffff", "#1b1b1b", "#d9d9d9", ("#0072b2", "#d55e00", "#007a5a", "#b5548c", "#8a6d00", "#4a4a4a")
)
DARK = Theme(
    "dark", "#16181d", "#e8e8e8", "#3a3d45", ("#56b4e9", "#ff8c42", "#2fc99b", "#e59ac4", "#f0e442", "#bdbdbd")
)
_LINES = ("-", "--", "-.", ":")
_MARKERS = ("o", "s", "^", "D", "v", "P")


@contextmanager
def themed(theme: Theme) -> Iterator[None]:
    """Figures made and saved within have this theme; nothing of it stays."""
    ink = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color", "legend.labelcolor")
    ground = ("figure.facecolor", "axes.facecolor", "savefig.facecolor", "legend.facecolor")
    settings: Any = dict.fromkeys(ink, theme.ink) | dict.fromkeys(ground, theme.background)
    settings |= {"grid.color": theme.faint, "legend.edgecolor": theme.faint, "axes.grid": True, "axes.axisbelow": True}
    settings |= {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "svg.fonttype": "none"}
    settings |= {"svg.hashsalt": "mimicbench", "font.family": "sans-serif", "legend.fontsize": 9}
    with mpl.rc_context(settings):
        yield


def canvas(width: float, height: float) -> Figure:
    """An empty figure of a size in inches, known to nobody else."""
    return Figure(figsize=(width, height), layout="constrained")


def lines(theme: Theme, names: list[str]) -> dict[str, dict[str, Any]]:
    """How each name is drawn: a colour, a line and a marker of its own, so that none tells by colour alone."""
    count = len(theme.colours)
    return {
        name: {
            "color": theme.colours[number % count],
            "marker": _MARKERS[(number + number // count) % len(_MARKERS)],  # other pairs in every round
            "linestyle": _LINES[number % len(_LINES)],
        }
        for number, name in enumerate(names)
    }
