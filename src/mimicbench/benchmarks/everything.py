"""All benchmarks of a machine, unattended: ``python -m mimicbench.benchmarks.everything``.

Each leaves its JSON file in a folder. What is there already, of the same code, machine and options, is not measured
again, so that a command that was cut off goes on when it is repeated. At the end come all the tables, and how long the
paper's 100 million samples would take.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from types import ModuleType

from mimicbench.benchmarks import command, growth, peers, precision, throughput
from mimicbench.benchmarks.origin import origin, told
from mimicbench.files import require_writable
from mimicbench.hardware import Hardware

_PAPERS_SAMPLES = 100 * 1_000_000


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m mimicbench.benchmarks.everything", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--folder", type=Path, default=Path("benchmarks"), help="for the JSON files (%(default)s)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="of the files, without .json")
    options = parser.parse_args(arguments)
    plan = measurements()
    unknown = sorted(set(options.only or plan) - plan.keys())
    if unknown:
        sys.exit(f"--only {unknown[0]} is none of {', '.join(plan)}.")
    plan = {name: plan[name] for name in options.only or plan}
    require_writable(options.folder, "--folder")
    source = origin()
    failed = []
    for name, (module, flags) in plan.items():
        file = options.folder / f"{name}.json"
        if not _reported(file).items() >= (source | {"arguments": flags}).items():
            print(f"--- {name}", flush=True)
            command_line = [sys.executable, "-m", module.__name__, *flags, "--json", str(file)]
            if subprocess.run(command_line, check=False).returncode:
                failed.append(name)
    for name, (module, _) in plan.items():
        if name in failed:
            continue
        report = _reported(options.folder / f"{name}.json")
        module.show(report)
        print(told(report))
        if module is throughput:
            minutes = _PAPERS_SAMPLES / statistics.median(report["figures"]["T5"]) / 60
            network = "{network} at width {width}".format(**report)
            print(f"{network}: {_PAPERS_SAMPLES:,} samples, as many as the paper's, would take {minutes:,.0f} minutes.")
    if failed:
        sys.exit(f"Failed: {', '.join(failed)}; what was printed above says why.")


def _reported(file: Path) -> command.Report:
    """What was measured; nothing if nothing was."""
    report: command.Report = json.loads(file.read_text()) if file.exists() else {}
    return report


def measurements() -> dict[str, tuple[ModuleType, list[str]]]:
    """What is to be measured on this machine: file name, and the module's options."""
    if Hardware.choose("auto", "auto", "auto").device.type == "cpu":
        return {
            "throughput-0.25": (throughput, ["--width", "0.25"]),
            "throughput-1.0": (throughput, ["--width", "1.0", "--seconds", "20"]),
            "growth": (growth, []),
            "precision": (precision, ["--overrides", "experiment=embedded_vgg16"]),
            "peers-0.25": (peers, ["--width", "0.25"]),
            "peers-1.0": (peers, ["--width", "1.0"]),
        }
    return {
        "throughput-vgg16": (throughput, ["--network", "vgg16"]),
        "throughput-vgg16-compiled": (throughput, ["--network", "vgg16", "--step", "compiled"]),
        "throughput-vgg16_bn": (throughput, ["--network", "vgg16_bn"]),
        "growth": (growth, ["--width", "1.0", "--samples", "1000000", "--repeats", "5"]),
        "precision": (precision, ["--overrides", "experiment=embedded_vgg16"]),
        "peers": (peers, ["--width", "1.0"]),
    }


if __name__ == "__main__":
    main()
