"""``python -m mimicbench.audit <sweep> --budget 10000 --fidelity 0.9``: a gate for CI.

Exit code 1 if any student of the sweep agrees with its mentor on more than that share of the test images for at most so
many queries.
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
        sys.exit(str(error))


def _audited(sweep: Path, budget: int, fidelity: float) -> int:
    """Print what was found; the exit code."""
    jobs = results.load(sweep) if sweep.is_dir() else None
    if jobs is None or jobs.empty:
        raise UserError(f"{sweep} holds no finished job; name the folder of a sweep, such as multirun_outputs/….")
    allowed = jobs[jobs["queries.total"] <= budget]
    if allowed.empty:
        raise UserError(f"No job in {sweep} asked at most {budget:,} images; run one with oracle.budget={budget}.")
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
