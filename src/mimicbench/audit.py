"""``python -m mimicbench.audit <sweep> --budget 10000 --fidelity 0.9``: a gate for CI.

Exit code 1 if any student of the sweep agrees with its mentor on more than that share of the test images for at most so
many queries; else 2 if the sweep cannot say: a job has not finished, or an attack on an oracle never asked so many.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from mimicbench.errors import UserError
from mimicbench.report.sweep import Sweep
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
    read = Sweep.read(sweep)
    jobs = read.results
    allowed = jobs[jobs["queries.total"] <= budget] if len(jobs) else jobs
    too_much = bool(len(allowed) and (allowed["fidelity"] > fidelity).any())
    if not too_much:
        _require_all(read, budget)
    worst: dict[Any, Any] = allowed.sort_values("fidelity", na_position="first").iloc[-1].to_dict()
    found = f"{worst['fidelity']:.2%} with {worst['queries.total']:,} queries"
    print(
        f"{'FAILED' if too_much else 'passed'}: {method(worst['attack'])} mimicking of {worst['oracle']} replies "
        f"reaches a fidelity of {found}; at most {fidelity:.2%} is allowed with {budget:,} "
        f"({len(allowed)} of {len(jobs)} jobs count)."
    )
    return int(too_much)


def _require_all(sweep: Sweep, budget: int) -> None:
    """See that a sweep can say that nothing was copied.

    Raises:
        UserError: It cannot.
    """
    if sweep.unfinished:
        raise UserError(f"A sweep that has not finished has not passed; run it again. {sweep.unfinished[0]}")
    for (attack, oracle), asked in sweep.results.groupby(["attack", "oracle"])["queries.total"]:
        if not (asked == budget).any():
            raise UserError(
                f"No job of attack={attack} oracle={oracle} asked just {budget:,} images, but "
                f"{', '.join(f'{one:,}' for one in sorted(set(asked)))}; set oracle.budget={budget}, and "
                "attack.samples_per_epoch and the pool's size to as many."
            )
    if sweep.results["fidelity"].isna().any():
        raise UserError(f"A job in {sweep.folder} does not say how far student and mentor agree; run it again.")


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
