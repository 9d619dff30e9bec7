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
from mimicbench.results import code

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
        measure: Returns what it measured; to that come the ``arguments`` but ``--json``, and the :func:`origin`.
        show: Prints a report.
        file: Where it is written.
        arguments: Of the command line; None for this process's.
    """
    given = sys.argv[1:] if arguments is None else arguments
    source = {"arguments": without_file(given), "code": code(), **origin()}
    try:
        require_writable(file.parent, "--json")
        if file.is_dir():
            raise UserError(f"--json {file} is a folder.")
        report = measure() | source
    except UserError as error:
        sys.exit(str(error))
    if origin()["content"] != source["content"]:  # parts are processes of their own, which read the code anew
        report["content"] = None
        print("The code was changed meanwhile: some of this may have been measured with one, some with the other.")
    with atomic(file) as temporary:
        temporary.write_text(json.dumps(report, indent=2) + "\n")
    show(report)
    print(told(report))
    print(f"{file} holds the same, and every repeat.")


def without_file(arguments: list[str]) -> list[str]:
    """Arguments without ``--json`` and what follows it: the same measurement may lie in any file."""
    kept, following = [], iter(arguments)
    for one in following:
        if one == "--json":
            next(following, None)
        elif not one.startswith("--json="):
            kept.append(one)
    return kept


def at_least_one(text: str) -> int:
    """The type of an option that counts something."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


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
