"""All benchmarks of a machine, unattended: ``python -m mimicbench.benchmarks.everything``.

Each leaves its JSON file in a folder. What is there already is not measured again, so that a command that was cut off
goes on when it is repeated. At the end come all the tables, and how long the paper's 100 million samples would take.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from types import ModuleType

from mimicbench.benchmarks import growth, peers, throughput
from mimicbench.files import require_writable
from mimicbench.hardware import Hardware

_PAPERS_SAMPLES = 100 * 1_000_000


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m mimicbench.benchmarks.everything", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--folder", type=Path, default=Path("benchmarks"), help="for the JSON files (%(default)s)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="of the files, without .json")
    folder, only = (options := parser.parse_args(arguments)).folder, options.only
    require_writable(folder, "--folder")
    plan = {name: entry for name, entry in measurements().items() if not only or name in only}
    for name, (module, flags) in plan.items():
        file = folder / f"{name}.json"
        if not file.exists():
            print(f"--- {name}", flush=True)
            subprocess.run([sys.executable, "-m", module.__name__, *flags, "--json", str(file)], check=False)
    for name, (module, _) in plan.items():
        file = folder / f"{name}.json"
        if not file.exists():
            print(f"{name} failed; what it printed above says why.")
            continue
        report = json.loads(file.read_text())
        module.show(report)
        if module is throughput:
            minutes = _PAPERS_SAMPLES / statistics.median(report["figures"]["T5"]) / 60
            print(f"{_PAPERS_SAMPLES:,} samples, the paper's experiment, would take {minutes:,.0f} minutes.")


def measurements() -> dict[str, tuple[ModuleType, list[str]]]:
    """What is to be measured on this machine: file name, and the module's options."""
    if Hardware.choose("auto", "auto", "auto").device.type == "cpu":
        return {
            "throughput-0.25": (throughput, ["--width", "0.25"]),
            "throughput-1.0": (throughput, ["--width", "1.0", "--seconds", "20"]),
            "growth": (growth, []),
            "peers-0.25": (peers, ["--width", "0.25"]),
            "peers-1.0": (peers, ["--width", "1.0"]),
        }
    return {
        "throughput-vgg16": (throughput, ["--network", "vgg16"]),
        "throughput-vgg16-compiled": (throughput, ["--network", "vgg16", "--step", "compiled"]),
        "throughput-vgg16_bn": (throughput, ["--network", "vgg16_bn"]),
        "growth": (growth, ["--width", "1.0", "--samples", "1000000"]),
        "peers": (peers, ["--width", "1.0"]),
    }


if __name__ == "__main__":
    main()
