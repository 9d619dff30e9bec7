"""``python -m mimicbench.audit <sweep> --budget 10000 --fidelity 0.9``: a gate for CI.

Exit code 1 if any student of the sweep agrees with its mentor on more than that share of the test images for at most so
many queries, 2 if the sweep cannot say: a job has not finished, or none asked so many.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from mimicbench import results
from mimicbench.errors import UserError
from mimicbench.report.words import method


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m mimicbench.audit", description=__doc__)
    parser.add_argument("sweep", type=Path, help="its folder, or that of a job")
    parser.add_argument("--budget", type=_count, required=True, help="queries that an attacker is allowed")
    parser.add_argument("--fidelity", type=_share, required=True, help="the highest share of agreement, 0 to 1")
    options = parser.parse_args(arguments)
    try:
        sys.exit(_audited(options.sweep, options.budget, options.fidelity))
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


def _audited(sweep: Path, budget: int, fidelity: float) -> int:
    """Print what was found; the exit code."""
    jobs = results.load(sweep) if sweep.is_dir() else None
    if jobs is None or jobs.empty:
        raise UserError(f"{sweep} holds no finished job; name the folder of a sweep, such as multirun_outputs/….")
    begun = {file.parents[1] for file in sweep.rglob(".hydra/overrides.yaml")}
    if unfinished := sorted(begun - set(map(Path, jobs["folder"]))):
        raise UserError(
            f"{unfinished[0]} has not finished, and who has not finished has not passed; run the sweep again."
        )
    allowed = jobs[jobs["queries.total"] <= budget]
    if not (allowed["queries.total"] == budget).any() or allowed["fidelity"].isna().any():
        raise UserError(
            f"No job in {sweep} asked {budget:,} images, so nothing is known of it; set oracle.budget={budget}."
        )
    worst: dict[Any, Any] = allowed.sort_values("fidelity").iloc[-1].to_dict()
    too_much = bool(worst["fidelity"] > fidelity)
    found = f"{worst['fidelity']:.2%} with {worst['queries.total']:,} queries"
    print(
        f"{'FAILED' if too_much else 'passed'}: {method(worst['attack'])} mimicking of {worst['oracle']} replies "
        f"reaches a fidelity of {found}; at most {fidelity:.2%} is allowed with {budget:,} "
        f"({len(allowed)} of {len(jobs)} jobs count)."
    )
    return int(too_much)


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError("must be from 0 to 1")
    return share


if __name__ == "__main__":
    main()
