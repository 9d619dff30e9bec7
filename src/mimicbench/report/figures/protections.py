"""What a protection costs the owner of a mentor, and what it costs the attacker."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from mimicbench.report.figures.figure import Drawn
from mimicbench.report.style import Theme, canvas, lines
from mimicbench.report.sweep import Sweep
from mimicbench.report.words import method

_LANE = 0.04  # of the greatest loss: for each of those that lose nothing


@dataclass(frozen=True)
class _Protected:
    """A protection: what it takes from its owner, and the fidelity that each attack reaches, means over seeds."""

    lost: float
    distortion: float
    fidelity: dict[str, float]


def draw(sweep: Sweep, theme: Theme) -> Drawn | None:
    """The attacker's gain over the owner's loss: one point a protection and attack, standard to composite an arrow."""
    found = _protections(sweep)
    if len(found) < 2:
        return None
    figure = canvas(9.6, 5.2)
    by_accuracy, by_distortion = figure.subplots(1, 2, sharey=True)
    looks = lines(theme, list(found))
    for axes, measure in ((by_accuracy, "lost"), (by_distortion, "distortion")):
        _points(axes, found, np.array([getattr(one, measure) for one in found.values()]), looks, theme)
    by_accuracy.set(xlabel="Owner's loss: test accuracy", ylabel="Attacker's gain: fidelity")
    by_distortion.set(xlabel="Owner's loss: mean L1 distance of replies")
    by_accuracy.xaxis.set_major_formatter(PercentFormatter(1))
    by_accuracy.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    handles, names = by_accuracy.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right upper")
    several = sorted({attack for one in found.values() for attack in one.fidelity})
    told = [
        f"{name}: loses {100 * one.lost:.2f} points of accuracy, distance {one.distortion:.3f}, fidelity "
        + ", ".join(f"{100 * one.fidelity[attack]:.2f} % ({attack})" for attack in several if attack in one.fidelity)
        + "."
        for name, one in found.items()
    ]
    caption = (
        "Each protection at what it takes from the mentor's owner (left: test accuracy as seen through it; right: mean "
        "L1 distance of its replies from the mentor's answers on the test images) and what it leaves the attacker: "
        "open marks for standard mimicking, filled ones for composite, an arrow from one to the other. A good "
        "protection is low and at the left; the shaded lane holds those that take nothing."
    )
    return Drawn(figure, caption, " ".join(["Scatter plot of fidelity over what the owner loses.", *told]))


def _protections(sweep: Sweep) -> dict[str, _Protected]:
    """By name: the oracle, and whatever else tells it apart."""
    columns = ["protection.mentor_accuracy", "protection.distortion"]
    if not sweep.jobs or not set(columns) <= set(sweep.results):
        return {}
    rows = sweep.results.assign(
        name=[
            _named(job.cell.removeprefix(f"{method(attack)}, "))
            for job, attack in zip(sweep.jobs, sweep.results["attack"], strict=True)
        ],
        lost=sweep.results["mentor_accuracy"] - sweep.results["protection.mentor_accuracy"],
        distortion=sweep.results["protection.distortion"],
    )
    rows = rows[rows["lost"].notna()]
    return {
        str(name): _Protected(
            float(some["lost"].mean()),
            float(some["distortion"].mean()),
            {str(attack): float(value) for attack, value in some.groupby("attack")["fidelity"].mean().items()},
        )
        for name, some in rows.groupby("name", sort=False)
    }


def _named(cell: str) -> str:
    return cell.replace(", attack.use=reply", "").replace(", attack.use=label", ", labels alone")


def _points(
    axes: Axes, found: dict[str, _Protected], x: np.ndarray, looks: dict[str, dict[str, Any]], theme: Theme
) -> None:
    """Draw each protection at its loss; where several lose nothing, side by side in a lane of their own on the left."""
    free, lane = x <= 0, _LANE * max(float(x.max()), 1e-3)
    places = x.astype(float)
    if free.sum() > 1:
        width = lane * free.sum()
        places[free] = lane * (np.arange(free.sum()) + 0.5) - width - lane
        axes.axvspan(-width - lane, -lane, color=theme.faint, alpha=0.4, linewidth=0)
        middle = -width / 2 - lane
        axes.text(middle, 1.0, "nothing", transform=axes.get_xaxis_transform(), ha="center", va="bottom", fontsize=9)
    for (name, one), place in zip(found.items(), places, strict=True):
        colour, marker = looks[name]["color"], looks[name]["marker"]
        attacks = sorted(one.fidelity, key=lambda attack: attack == "standard")  # filled marks first: the legend's
        for number, attack in enumerate(attacks):
            axes.plot(
                place,
                one.fidelity[attack],
                label=None if number else name,
                marker=marker,
                markersize=7,
                linestyle="none",
                color=colour,
                fillstyle="none" if attack == "standard" else "full",
            )
        if {"standard", "composite"} <= one.fidelity.keys():
            arrow = {"arrowstyle": "->", "color": colour, "shrinkA": 4, "shrinkB": 4}
            axes.annotate("", (place, one.fidelity["composite"]), (place, one.fidelity["standard"]), arrowprops=arrow)
    low, high = axes.get_xlim()
    axes.set_xticks([tick for tick in axes.get_xticks() if 0 <= tick <= high])
    axes.set_xlim(low, high)
