"""Writes the report of a sweep: a page, its figures as PNG and SVG, and its tables as CSV."""

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pandas as pd

from mimicbench import __version__
from mimicbench.files import atomic, writing
from mimicbench.ownership import matrix
from mimicbench.report import marks, page, paper, table
from mimicbench.report.figures import budgets, calibration, classes, composites, curves, protections
from mimicbench.report.figures import marks as heat_maps
from mimicbench.report.figures.figure import Draw
from mimicbench.report.style import DARK, LIGHT, themed
from mimicbench.report.sweep import Sweep

PAGE, FOLDER = "report.html", "report"

_FIGURES: dict[str, tuple[str, Draw]] = {
    "protections": ("What protects, and what it costs", protections.draw),
    "budgets": ("How much is copied for how many queries", budgets.draw),
    "marks": ("Do students carry marks?", heat_maps.draw),
    "accuracy_over_epochs": ("Accuracy over epochs (Figure 3)", curves.over_epochs),
    "accuracy_over_queries": ("What the queries bought", curves.over_queries),
    "composites": ("Composites (Figure 1)", composites.grid),
    "replies": ("What the mentor says of them (Figure 2)", composites.replies),
    "fidelity_by_class": ("Fidelity class by class", classes.draw),
    "calibration": ("Calibration", calibration.draw),
}

_COSTS = (
    "Accuracy and expected calibration error (ECE) of the mentor as its users see it through the protection. Distances "
    "are mean L1 distances of replies from the mentor's answers, from 0 to 2, on the test images and on the attacker's "
    "first queries (16,384 at most), of which the share is given that name another class. µs a query is what the "
    "protection adds."
)


def write(folder: Path) -> Path:
    """Write ``report.html`` into a sweep's folder, and ``report/`` with its figures and tables.

    Args:
        folder: The sweep's, or any that holds jobs.

    Returns:
        The page.

    Raises:
        UserError: The folder holds no job, or cannot be written.
    """
    sweep = Sweep.read(folder)
    tables = _tables(sweep)
    with writing(folder / FOLDER, "the folder of the sweep"):
        for name, (_, rows, _) in tables.items():
            with atomic(folder / FOLDER / f"{name}.csv") as temporary:
                rows.to_csv(temporary, index=False)
        pictures = [_picture(sweep, name, folder / FOLDER) for name in _FIGURES]
        shown = [page.table(*one) for one in tables.values()]
        sections = [
            page.paragraph(f"{len(sweep.jobs)} finished jobs in {folder}. {_written()}"),
            page.warnings("What is missing", sweep.missing),
            *shown[:-1],
            *(page.picture(one) for one in pictures if one is not None),
            *shown[-1:],
        ]
        with atomic(folder / PAGE) as temporary:
            temporary.write_text(page.page(f"mimicbench: {folder.resolve().name}", *sections), encoding="utf-8")
    return folder / PAGE


def _tables(sweep: Sweep) -> dict[str, tuple[str, pd.DataFrame, str]]:
    """File name, title, rows and note of each table."""
    if not sweep.jobs:
        return {}
    results = sweep.results
    cells, protected = table.cells(results), table.protections(results)
    costs = {"protections": ("What protection costs", protected, _COSTS)} if len(protected) else {}
    scored = matrix.read(sweep.folder)
    carried = {"marks": ("Do students carry the marks of their mentors?", marks.rows(scored), marks.NOTE)}
    return {
        "table4": ("Results (Table 4)", table.beside_paper(results, cells), _note(sweep)),
        **costs,
        **(carried if scored else {}),
        "jobs": ("Every job", table.jobs(results), ""),
        "commands": (
            "Time, and how to repeat each job",
            table.commands_and_costs(results, [job.command for job in sweep.jobs]),
            "Commands are to be given in a checkout of the code that the column names.",
        ),
    }


def _note(sweep: Sweep) -> str:
    low, high = (pd.to_numeric(sweep.results["mentor_accuracy"]).agg(one) for one in ("min", "max"))
    ours = f"{low:.2%}" if low == high else f"{low:.2%} to {high:.2%}"
    return (
        f"Mentor's test accuracy: {ours} here, {paper.MENTOR} in the paper. With several seeds: mean ± sample standard "
        "deviation. Fidelity is the share of test images on which student and mentor agree. The paper's columns are "
        "for CIFAR-10 with ImageNet-32 as pool, VGG-16 and 100 epochs (experiment=paper); other settings are "
        "not comparable with them. The test set chose nothing: each result is that of the last epoch."
    )


def _picture(sweep: Sweep, name: str, folder: Path) -> page.Picture | None:
    title, draw = _FIGURES[name]
    svgs = {}
    for theme in (LIGHT, DARK):
        with themed(theme):
            one = draw(sweep, theme)
            if one is None:
                return None
            words = {"Title": title, "Description": one.alternative}
            svg = BytesIO()
            one.figure.savefig(svg, format="svg", metadata={"Date": None, **words})
            svgs[theme] = svg.getvalue()
            if theme is LIGHT:
                with atomic(folder / f"{name}.png") as temporary:
                    one.figure.savefig(temporary, dpi=150, metadata=words)
                with atomic(folder / f"{name}.svg") as temporary:
                    temporary.write_bytes(svgs[theme])
    assert one is not None
    return page.Picture(title, one.caption, one.alternative, svgs[LIGHT], svgs[DARK])


def _written() -> str:
    return f"Written on {datetime.now(UTC):%Y-%m-%d at %H:%M} UTC by mimicbench {__version__}."
