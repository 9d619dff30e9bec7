"""Results in the form of the paper's Table 4, with what it leaves out."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from mimicbench.files import atomic
from mimicbench.report.paper import TABLE_4
from mimicbench.report.words import mentor_status, method

_MARK = "watermark.scheme"
_NAMES = ["task", "pool", "mentor", _MARK, "student", "attack", "oracle"]
_CELL = [*_NAMES, "epochs", "sgd_steps", "queries.total"]
_INCIDENTAL = ("seed", "paths", "logger", "callbacks")  # sections of a configuration in which jobs of a cell may differ
_ABSENT = "–"
_MEASURED = {
    "student_accuracy": "Test accuracy",
    "relative_accuracy": "Relative accuracy",
    "fidelity": "Fidelity",
}

_PROTECTION = {
    "mentor_accuracy": ("Mentor's accuracy as seen", "{:.2%}"),
    "unprotected_calibration_error": ("Its ECE", "{:.3f}"),
    "calibration_error": ("ECE as seen", "{:.3f}"),
    "distortion": ("Distance of replies", "{:.3f}"),
    "query_distortion": ("Distance on queries", "{:.3f}"),
    "changed_queries": ("Queries with another label", "{:.2%}"),
    "microseconds_per_query": ("µs a query", "{:.1f}"),
    "mentor_microseconds_per_query": ("The mentor's", "{:.1f}"),
}


def jobs(results: pd.DataFrame) -> pd.DataFrame:
    """Table 4: one row a job.

    Args:
        results: What :func:`mimicbench.results.load` gives, not empty.

    Returns:
        Text columns: method, mentor status, test accuracy, relative accuracy; our additions fidelity, queries, SGD
        steps and seed; and before them whatever else differs between the jobs.
    """
    rows = _described(results, _varied(results))
    for column, title in _MEASURED.items():
        rows[title] = [_shown(value, "{:.2%}") for value in results[column]]
    rows["Queries"] = [_shown(count, "{:,.0f}") for count in results["queries.total"]]
    rows["SGD steps"] = [_shown(count, "{:,.0f}") for count in results["sgd_steps"]]
    rows["Seed"] = [str(seed) for seed in results["seed"]]
    return rows


def cells(results: pd.DataFrame) -> pd.DataFrame:
    """Table 4 over seeds: one row a cell, with mean ± sample standard deviation.

    Args:
        results: What :func:`mimicbench.results.load` gives, not empty.

    Returns:
        Text columns, as :func:`jobs`, but for the number of seeds in place of the seed.
    """
    varied = _varied(results)
    grouped = results.join(varied).groupby([*_CELL, *varied], sort=False, dropna=False)
    first = grouped.first().reset_index()
    rows = _described(first, first[list(varied)])
    for column, title in _MEASURED.items():
        percent = 100 * grouped[column].agg(["mean", "std"])
        rows[title] = [
            _shown(mean, "{:.2f}%") if pd.isna(spread) else f"{mean:.2f} ± {spread:.2f}%"
            for mean, spread in percent.itertuples(index=False)
        ]
    rows["Queries"] = [_shown(count, "{:,.0f}") for count in first["queries.total"]]
    rows["SGD steps"] = [_shown(count, "{:,.0f}") for count in first["sgd_steps"]]
    rows["Seeds"] = [str(count) for count in grouped["seed"].nunique()]
    return rows


def labels(results: pd.DataFrame, seeds: Collection[str] = ()) -> list[str]:
    """For each job its cell in words, such as ``Composite, label, attack.images=3``; seeds do not matter.

    Args:
        results: What :func:`mimicbench.results.load` gives, not empty.
        seeds: Settings that are seeds too, such as ``mentor.seed``.
    """
    varied = _varied(results)
    shown = _apart(results, varied.drop(columns=[key for key in seeds if key in varied]))
    return [
        ", ".join(
            [f"{method(attack)}, {oracle}", *(f"{key}={value}" for key, value in row.items() if value != _ABSENT)]
        )
        for attack, oracle, row in zip(results["attack"], results["oracle"], shown.to_dict("records"), strict=True)
    ]


def beside_paper(results: pd.DataFrame, means: pd.DataFrame) -> pd.DataFrame:
    """What :func:`cells` gives, with the paper's Table 4 beside it where the paper has such a cell."""
    first = results.join(_varied(results)).groupby([*_CELL, *_varied(results)], sort=False, dropna=False).first()
    reported = [
        TABLE_4.get(key)
        for key in zip(*(first.index.get_level_values(one) for one in ("attack", "oracle")), strict=True)
    ]
    rows = means.copy()
    rows["Paper: accuracy"] = [one.accuracy if one else _ABSENT for one in reported]
    rows["Paper: relative"] = [one.relative if one else _ABSENT for one in reported]
    return rows


def protections(results: pd.DataFrame) -> pd.DataFrame:
    """What each oracle costs its owner and what it changes: one row a cell, means over seeds; empty if none is known.

    Args:
        results: What :func:`mimicbench.results.load` gives, not empty.

    Returns:
        Text columns; distances are L1, from 0 to 2.
    """
    varied = _varied(results)
    known = results.join(varied)[results["protection.mentor_accuracy"].notna()]
    if known.empty:
        return pd.DataFrame()
    grouped = known.groupby([*_CELL, *varied], sort=False, dropna=False)
    first = grouped.first().reset_index()
    rows = _described(first, first[list(varied)])
    rows["Keeps the label"] = ["yes" if keeps else "no" for keeps in first["protection.keeps_argmax"]]
    for name, (title, form) in _PROTECTION.items():
        rows[title] = [_shown(value, form) for value in grouped[f"protection.{name}"].mean()]
    return rows


def commands_and_costs(results: pd.DataFrame, commands: list[str | None]) -> pd.DataFrame:
    """One row a job: how long it took, where, and what repeats it."""
    rows = pd.DataFrame({"Job": [Path(folder).name for folder in results["folder"]]})
    rows["Time"] = [_shown(value, "{:,.0f} s") for value in results["train_seconds"]]
    rows["Samples/s"] = [_shown(value, "{:,.0f}") for value in results["samples_per_second"]]
    rows["Device"] = [_shown(value, "{}") for value in results["device"]]
    rows["Precision"] = [_shown(value, "{}") for value in results["precision"]]
    rows["Code"] = [_shown(value, "{:.7}") for value in results["code.commit"]]
    rows["Command"] = [command or _ABSENT for command in commands]
    return rows


def tables(results: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The tables of a sweep under their titles: its jobs, and its cells where a cell has several seeds."""
    found = {f"Mentor's test accuracy: {_range(results['mentor_accuracy'])}": jobs(results)}
    means = cells(results)
    if (means["Seeds"] != "1").any():
        found["Mean ± sample standard deviation over seeds"] = means
    return found


def write_summary(results: pd.DataFrame, folder: Path) -> None:
    """Write ``summary.csv`` (one row a job: numbers, varied settings) and ``summary.md`` (the tables)."""
    with atomic(folder / "summary.csv") as temporary:
        results.drop(columns=["versions", "config"]).join(_varied(results)).to_csv(temporary, index=False)
    with atomic(folder / "summary.md") as temporary:
        temporary.write_text(
            "\n".join(f"{title}\n\n{_markdown(rows)}" for title, rows in tables(results).items()), encoding="utf-8"
        )


def show(results: pd.DataFrame) -> None:
    """Print the tables of a sweep."""
    for title, rows in tables(results).items():
        show_rows(rows, title)


def show_rows(rows: pd.DataFrame, title: str | None = None) -> None:
    """Print one table of text, as wide as it is."""
    printed = Table(*map(str, rows.columns), title=title, box=box.SIMPLE, pad_edge=False)
    for row in rows.itertuples(index=False):
        printed.add_row(*row)
    console = Console()
    whole = console.measure(printed, options=console.options.update(max_width=1000)).maximum
    Console(width=max(console.width, whole)).print(printed)  # rich cuts words where a table is too wide


def _varied(results: pd.DataFrame) -> pd.DataFrame:
    """The settings in which jobs of the same names differ, such as ``attack.images``, one text column each.

    A setting that a job does not have is a value too, so that ``null`` differs from a section; but one whose whole
    configuration is unknown differs from none. What equals the seed in each job is a seed too.
    """
    known = results["config"].map(lambda config: isinstance(config, dict) and bool(config))
    kept = [
        {key: value for key, value in config.items() if key not in _INCIDENTAL} for config in results["config"][known]
    ]
    flat = [pd.json_normalize(one, sep=".").iloc[0].map(_text) for one in kept]
    settings = pd.DataFrame(flat, index=results.index[known]).fillna(_ABSENT).reindex(results.index)
    names = [results[name] for name in _NAMES]
    differ = settings.groupby(names, dropna=False).nunique().max() > 1
    seeds = (settings.eq(results["seed"].map(str), axis=0) | (settings == _ABSENT) | settings.isna()).all()
    return settings[[key for key in map(str, settings) if differ[key] and not seeds[key]]].fillna(_ABSENT)


def _shown(value: Any, form: str) -> str:
    return _ABSENT if pd.isna(value) else form.format(value)


def _text(value: Any) -> str:
    return "null" if value is None else str(value)


def _apart(results: pd.DataFrame, varied: pd.DataFrame) -> pd.DataFrame:
    """What tells rows apart besides attack, oracle and seed, in words."""
    shown = results.assign(watermark=[one if isinstance(one, str) else "none" for one in results[_MARK]])
    also = [name for name in ("task", "pool", "mentor", "watermark", "student") if shown[name].nunique() > 1]
    return shown[also].fillna(_ABSENT).join(varied)


def _described(results: pd.DataFrame, varied: pd.DataFrame) -> pd.DataFrame:
    rows = _apart(results, varied).rename(columns={name: name.capitalize() for name in (*_NAMES, "watermark")})
    rows["Method"] = [method(attack) for attack in results["attack"]]
    rows["Mentor status"] = [mentor_status(oracle) for oracle in results["oracle"]]
    return rows


def _range(values: pd.Series) -> str:
    low, high = values.min(), values.max()
    return f"{low:.2%}" if low == high else f"{low:.2%} to {high:.2%}"


def _markdown(rows: pd.DataFrame) -> str:
    lines = [list(rows.columns), ["---"] * len(rows.columns), *rows.itertuples(index=False)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
