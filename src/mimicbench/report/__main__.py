"""``python -m mimicbench.report multirun_outputs/<sweep>``: the report of a sweep."""

import argparse
import sys
from pathlib import Path

from mimicbench.errors import UserError
from mimicbench.report.write import FOLDER, PAGE, write


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m mimicbench.report", description=__doc__)
    parser.add_argument("sweep", type=Path, help=f"its folder; gets {PAGE}, and {FOLDER}/ with figures and tables")
    options = parser.parse_args(arguments)
    try:
        print(f"{write(options.sweep)} shows the figures.")
    except UserError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
