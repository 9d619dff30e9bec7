"""What a figure is."""

from dataclasses import dataclass
from typing import Protocol

from matplotlib.figure import Figure

from mimicbench.report.style import Theme
from mimicbench.report.sweep import Sweep


@dataclass(frozen=True)
class Drawn:
    """A figure with its words.

    Attributes:
        figure: To be saved.
        caption: What it shows and how it was made; plain text.
        alternative: The same for those who do not see it: what is drawn, with its main numbers.
    """

    figure: Figure
    caption: str
    alternative: str


class Draw(Protocol):
    """Draws a figure from what a sweep holds; None where it holds nothing for it."""

    def __call__(self, sweep: Sweep, theme: Theme) -> Drawn | None:
        """Draw it."""
