"""How much of a mentor is copied for how many queries, and for what price."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator, PercentFormatter

from mimicbench.report.figures.figure import Drawn
from mimicbench.report.style import Theme, canvas, lines
from mimicbench.report.sweep import Sweep
from mimicbench.report.words import method

_MEASURES = {"fidelity": "Fidelity", "relative_accuracy": "Relative accuracy"}


def draw(sweep: Sweep, theme: Theme) -> Drawn | None:
    """Fidelity and relative accuracy over budgets, a line for each attack and oracle; the price on a second axis."""
    results = sweep.results
    if not sweep.jobs or results["queries.budget"].nunique() < 2:
        return None
    rows = results[results["queries.budget"].notna() & results["config"].map(lambda one: isinstance(one, dict))]
    names = [f"{method(attack)}, {oracle}" for attack, oracle in zip(rows["attack"], rows["oracle"], strict=True)]
    rows = rows.assign(name=names)
    figure = canvas(6.4, 5.6)
    panels = figure.subplots(2, sharex=True)
    looks = lines(theme, list(dict.fromkeys(names)))
    told = []
    for axes, (column, title) in zip(panels, _MEASURES.items(), strict=True):
        for name, some in rows.groupby("name", sort=False):
            mean = some.groupby("queries.total")[column].agg(["mean", "min", "max"])
            axes.plot(mean.index, mean["mean"], label=name, markersize=5, linewidth=1.6, **looks[str(name)])
            axes.fill_between(mean.index, mean["min"], mean["max"], color=looks[str(name)]["color"], alpha=0.2)
            told.append(f"{name}: {title.lower()} {mean['mean'].iloc[-1]:.1%} for {mean.index[-1]:,} queries.")
        axes.set(xscale="log", ylabel=title)
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ticks = sorted(rows["queries.total"].unique())
    panels[1].set_xticks(ticks, [f"{count:,.0f}" for count in ticks], minor=False)
    panels[1].xaxis.set_minor_locator(NullLocator())
    panels[1].set_xlabel("Queries (images answered by the mentor)")
    panels[0].legend(loc="best")
    priced = _price(panels[0], rows, ticks)
    caption = (
        "What an attacker has for a budget: the share of test images on which student and mentor agree, and the "
        f"student's accuracy by the mentor's, for so many queries{priced}. Each point is a student of its own; "
        "lines are means over seeds, bands reach from the lowest to the highest seed."
    )
    return Drawn(figure, caption, " ".join(["Two line charts over the number of queries.", *told]))


def _price(axes: Axes, rows: pd.DataFrame, ticks: list[float]) -> str:
    """Add above what so many queries cost where none is known yet, if all have one price; words for the caption."""
    prices = {config.get("oracle", {}).get("price_per_1000") for config in rows["config"]}
    if len(prices) != 1 or not (per_1000 := prices.pop()):
        return ""
    each = per_1000 / 1000

    def price(counts: Any) -> Any:
        return counts * each

    def count(prices: Any) -> Any:
        return prices / each

    above = axes.secondary_xaxis("top", functions=(price, count))
    above.set_xticks([each * count for count in ticks], [f"{each * count:g}" for count in ticks])
    above.xaxis.set_minor_locator(NullLocator())
    above.set_xlabel("Price")
    return f" (below) and at what price (above; {1000 * each:g} for 1,000)"
