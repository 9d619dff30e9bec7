"""Results in the form of the paper's Table 4, with what it leaves out."""

from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from mimicbench.files import atomic
from mimicbench.results import Result

_CELL = ["task", "pool", "mentor", "student", "attack", "oracle", "sgd_steps", "queries.total"]
_MEASURED = ["student_accuracy", "relative_accuracy", "fidelity"]


def mentor_status(oracle: str) -> str:
    """The paper's word for a mentor behind this oracle."""
    return {"softmax": "Unprotected", "label": "Protected"}.get(oracle, f"Protected: {oracle}")


def jobs(results: pd.DataFrame) -> pd.DataFrame:
    """Table 4: one row a job.

    Args:
        results: What :func:`mimicbench.results.load` gives.

    Returns:
        Text columns: method, mentor status, test accuracy, relative accuracy; our additions fidelity, queries, SGD steps,
        seed and time; first of all, whatever else differs between the jobs.
    """
    rows = _described(results)
    rows["Test Accuracy"] = results["student_accuracy"].map("{:.2%}".format)
    rows["Relative Accuracy"] = results["relative_accuracy"].map("{:.2%}".format)
    rows["Fidelity"] = results["fidelity"].map("{:.2%}".format)
    rows["Mentor"] = results["mentor_accuracy"].map("{:.2%}".format)
    rows["Queries"] = results["queries.total"].map("{:,}".format)
    rows["SGD Steps"] = results["sgd_steps"].map("{:,}".format)
    rows["Seed"] = results["seed"].map(str)
    rows["Time"] = results["train_seconds"].map("{:.0f} s".format)
    return rows


def cells(results: pd.DataFrame) -> pd.DataFrame:
    """Table 4 over seeds: one row a cell, with mean and sample standard deviation.

    Args:
        results: What :func:`mimicbench.results.load` gives.

    Returns:
        Text columns, as :func:`jobs`, with the number of seeds.
    """
    grouped = results.groupby(_CELL, sort=False)
    first = grouped.first().reset_index()
    rows = _described(first)
    for title, column in zip(("Test Accuracy", "Relative Accuracy", "Fidelity"), _MEASURED, strict=True):
        mean, spread = grouped[column].mean(), grouped[column].std()
        rows[title] = [
            f"{100 * m:.2f}%" if pd.isna(s) else f"{100 * m:.2f} ± {100 * s:.2f}%"
            for m, s in zip(mean, spread, strict=True)
        ]
    rows["Queries"] = first["queries.total"].map("{:,}".format)
    rows["SGD Steps"] = first["sgd_steps"].map("{:,}".format)
    rows["Seeds"] = grouped["seed"].nunique().map(str).to_numpy()
    return rows


def write_summary(results: pd.DataFrame, folder: Path) -> None:
    """Write ``summary.csv`` (numbers, one row a job) and ``summary.md`` (Table 4) into a sweep's folder."""
    with atomic(folder / "summary.csv") as temporary:
        results.drop(columns=["versions", "config"]).to_csv(temporary, index=False)
    parts = [_markdown(jobs(results))]
    if results["seed"].nunique() > 1:
        parts.append("Mean ± sample standard deviation over seeds:\n\n" + _markdown(cells(results)))
    with atomic(folder / "summary.md") as temporary:
        temporary.write_text("\n".join(parts))


def job(result: Result) -> pd.DataFrame:
    """One job's row, for the end of a single run."""
    return pd.DataFrame(
        {
            "Method": [_method(result.attack)],
            "Mentor Status": [mentor_status(result.oracle)],
            "Mentor Accuracy": [f"{result.mentor_accuracy:.2%}"],
            "Student Accuracy": [f"{result.student_accuracy:.2%}"],
            "Relative Accuracy": [f"{result.relative_accuracy:.2%}"],
            "Fidelity": [f"{result.fidelity:.2%}"],
            "Queries": [f"{result.queries.total:,}"],
            "Time": [f"{result.train_seconds:.0f} s"],
        }
    )


def show(rows: pd.DataFrame, title: str) -> None:
    """Print a table of text columns on the terminal."""
    table = Table(title=title)
    for column in rows:
        table.add_column(str(column), overflow="fold")
    for row in rows.itertuples(index=False):
        table.add_row(*row)
    Console().print(table)


def _method(attack: str) -> str:
    return attack.replace("_", " ").capitalize()


def _described(results: pd.DataFrame) -> pd.DataFrame:
    also = [column for column in ("task", "pool", "mentor", "student") if results[column].nunique() > 1]
    rows = results[also].rename(columns=str.capitalize)
    rows["Method"] = results["attack"].map(_method)
    rows["Mentor Status"] = results["oracle"].map(mentor_status)
    return rows


def _markdown(rows: pd.DataFrame) -> str:
    lines = [list(rows.columns), ["---"] * len(rows.columns), *rows.itertuples(index=False)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
