"""What the benchmarks' commands have in common."""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mimicbench.benchmarks.origin import origin, told
from mimicbench.errors import UserError
from mimicbench.files import atomic, require_writable

Report = dict[str, Any]
"""What a benchmark's JSON file holds."""


def parser(module: str, about: str | None) -> argparse.ArgumentParser:
    """The options that all have: ``--json``."""
    made = argparse.ArgumentParser(prog=f"python -m {module}", description=about)
    made.formatter_class = argparse.RawDescriptionHelpFormatter
    file = Path(module.rpartition(".")[2] + ".json")
    made.add_argument("--json", type=Path, default=file, help="where the report is written (%(default)s)")
    return made


def carry_out(
    measure: Callable[[], Report], show: Callable[[Report], None], file: Path, arguments: list[str] | None
) -> None:
    """Measure, write the report, and show it; a user's mistake is one sentence and an exit with 1.

    Args:
        measure: Returns what it measured; to that come the ``arguments`` and the :func:`origin`.
        show: Prints a report.
        file: Where it is written.
        arguments: Of the command line; None for this process's.
    """
    begun_at = origin()  # before the code can change
    try:
        require_writable(file.parent, "--json")
        report = {"arguments": sys.argv[1:] if arguments is None else arguments, **measure(), **begun_at}
    except UserError as error:
        sys.exit(str(error))
    with atomic(file) as temporary:
        temporary.write_text(json.dumps(report, indent=2) + "\n")
    show(report)
    print(told(report))
    print(f"{file} holds the same, and every repeat.")


def in_own_process(module: str, options: list[str]) -> dict[str, float]:
    """Run a benchmark's module by itself; what it prints last is JSON.

    Raises:
        UserError: It failed; its own words are on the terminal.
    """
    done = subprocess.run([sys.executable, "-m", module, *options], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise UserError(f"python -m {module} {' '.join(options)} failed; see above.")
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(measured, file=sys.stderr, flush=True)
    return measured
