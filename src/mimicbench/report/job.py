"""The table of a single job."""

from rich.console import Console
from rich.table import Table

from mimicbench.report.words import method
from mimicbench.results import Result


def show(result: Result) -> None:
    """Print the table of a single job."""
    printed = Table.grid("what", "value", padding=(0, 3))
    for row in (
        ("Method", method(result.attack)),
        ("Mentor status", f"{'unprotected' if result.oracle == 'softmax' else 'protected'} ({result.oracle})"),
        ("Mentor accuracy", f"{result.mentor_accuracy:.2%}"),
        ("Student accuracy", f"{result.student_accuracy:.2%}"),
        ("Relative accuracy", f"{result.relative_accuracy:.2%}"),
        ("Fidelity", f"{result.fidelity:.2%}"),
        ("Queries", f"{result.queries.total:,} ({result.queries.unique:,} different)"),
        *_bill(result),
        *_mark(result),
        ("SGD steps", f"{result.sgd_steps:,} in {_counted(result.epochs, 'epoch')}, seed {result.seed}"),
        ("Time", f"{result.train_seconds:.0f} s, {result.samples_per_second:,.0f} samples/s"),
        ("Device", f"{result.device}, {result.precision}"),
        ("Files", result.config["paths"]["output_dir"]),
    ):
        printed.add_row(*row)
    Console().print("", printed, "")


def _bill(result: Result) -> list[tuple[str, str]]:
    """What the mentor's replies cost, where they cost something."""
    rows, queries = [], result.queries
    if queries.measuring is not None:
        also = f", {queries.in_doubt:,} in doubt" if queries.in_doubt else ""
        rows.append(
            (
                "Replies",
                f"{queries.answered:,} answered, {queries.reused:,} reused, {queries.retried:,} requests retried{also};"
                f" {queries.measuring:,} more to measure; the student waited {result.waited_seconds:.0f} s for them",
            )
        )
    if queries.price is not None:
        rows.append(("Price", f"{queries.price:,.2f}"))
    return rows


def _mark(result: Result) -> list[tuple[str, str]]:
    """What became of the mentor's mark, where it has one."""
    if (mark := result.watermark) is None:
        return []
    shown = " and ".join(
        f"the {who} {'does not show it' if score is None else f'shows {score:.1%}'}"
        for who, score in (("mentor", mark.mentor_score), ("student", mark.student_score))
    )
    return [("Mark", f"{mark.scheme}, key {mark.key}{'' if mark.took else ', did not take'}: {shown}")]


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
