"""All benchmarks of a machine, unattended: ``python -m mimicbench.benchmarks.everything``.

Each leaves its JSON file in a folder. What is there already, of the same commit, machine and options, is not measured
again, so that a command that was cut off goes on when it is repeated; what is not committed it does not see. At the end
come all the tables, and how long the paper's 100 million samples would take.
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
    given = {name: [*flags, "--json", str(options.folder / f"{name}.json")] for name, (_, flags) in plan.items()}
    for name, (module, _) in plan.items():
        if _report(options.folder, name, given[name]) is None:
            print(f"--- {name}", flush=True)
            subprocess.run([sys.executable, "-m", module.__name__, *given[name]], check=False)
    failed = []
    for name, (module, _) in plan.items():
        report = _report(options.folder, name, given[name])
        if report is None:
            failed.append(name)
            continue
        module.show(report)
        print(told(report))
        if module is throughput:
            minutes = _PAPERS_SAMPLES / statistics.median(report["figures"]["T5"]) / 60
            network = "{network} at width {width}".format(**report)
            print(f"{network}: {_PAPERS_SAMPLES:,} samples, as many as the paper's, would take {minutes:,.0f} minutes.")
    if failed:
        sys.exit(f"Failed: {', '.join(failed)}; what was printed above says why.")


def _report(folder: Path, name: str, arguments: list[str]) -> command.Report | None:
    """What was measured, if it was: by this code, on this machine, with these arguments."""
    file = folder / f"{name}.json"
    report: command.Report = json.loads(file.read_text()) if file.exists() else {}
    return report if report.items() >= ({"arguments": arguments} | origin()).items() else None


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
