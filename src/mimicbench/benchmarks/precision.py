"""What bfloat16 changes in the results: ``python -m mimicbench.benchmarks.precision``.

One mentor answers the pool and the test images in float32 and in bfloat16: how many of its labels agree? And it is
copied in both, with some seeds each, every job in a process of its own: do the copies differ by more than seeds do?
"""

import argparse
import json
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from rich import box
from rich.console import Console
from rich.table import Table

from mimicbench.benchmarks import command
from mimicbench.configuration import composed
from mimicbench.hardware import Hardware, limit_threads
from mimicbench.resident import ResidentImages
from mimicbench.run import run
from mimicbench.schema import Config, build, check
from mimicbench.tasks import Task

_MODULE = "mimicbench.benchmarks.precision"
_PRECISIONS: tuple[Any, ...] = ("bf16-mixed", "32-true")


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = command.parser(_MODULE, __doc__)
    parser.add_argument("--overrides", nargs="+", default=[], metavar="KEY=VALUE", help="of the configuration")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the students (%(default)s)")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.alone:
        print(json.dumps(_copied(options.overrides)))
    else:
        command.carry_out(lambda: measure(options), show, options.json, arguments)


def measure(options: argparse.Namespace) -> command.Report:
    """Train the mentor, compare its labels, and copy it in both arithmetics with each seed.

    Raises:
        UserError: The configuration is refused, or a job failed.
    """
    limit_threads()
    with tempfile.TemporaryDirectory(prefix="mimicbench-") as folder:
        config = check(composed([f"paths.output_dir={folder}", *options.overrides]))
        hardware = Hardware.choose(config.trainer.accelerator, "auto", "auto")
        task: Task = build("task", config.task, config.paths)
        checkpoint = _checkpoint(config, task, hardware, Path(folder))
        common = [*options.overrides, f"mentor.checkpoint={checkpoint}", f"paths.output_dir={folder}"]
        agreement = _agreement(check(composed(common)), task, hardware)
        copies = []
        for seed in options.seeds:
            for precision in _PRECISIONS:
                alone = ["--alone", "--overrides", *common, f"trainer.precision={precision}", f"seed={seed}"]
                measured = command.in_own_process(_MODULE, alone)
                copies.append({"precision": precision, "seed": seed, "measured": measured})
    return {
        "share of labels that agree": agreement,
        "copies": copies,
        "overrides": options.overrides,
        "device": hardware.name,
    }


def show(report: command.Report) -> None:
    """Print the agreement, and the mean and the sample standard deviation over seeds."""
    shares = ", ".join(f"{share:.2%} on the {name}" for name, share in report["share of labels that agree"].items())
    print(f"The mentor's labels in bfloat16 and in float32 agree: {shares}.")
    titles = list(report["copies"][0]["measured"])
    table = Table("precision", "seeds", *titles, title=report["device"], box=box.SIMPLE)
    for precision in _PRECISIONS:
        own = [copy for copy in report["copies"] if copy["precision"] == precision]
        columns = [_spread([copy["measured"][title] for copy in own]) for title in titles]
        table.add_row(precision, ", ".join(str(copy["seed"]) for copy in own), *columns)
    Console(width=120).print(table)


def _checkpoint(config: Config, task: Task, hardware: Hardware, folder: Path) -> Path:
    """The configured mentor's, or that of one trained now, in the arithmetic that is best here."""
    if config.mentor["checkpoint"] is not None:
        return Path(config.mentor["checkpoint"])
    build("mentor", config.mentor, task, replace(config.paths, cache_dir=folder), hardware)
    (trained,) = folder.glob("mentors/*.ckpt")
    return trained


def _agreement(config: Config, task: Task, hardware: Hardware) -> dict[str, float]:
    pool = build("pool", config.pool, config.paths, task.size)
    labels = []
    for precision in _PRECISIONS:
        mentor = build("mentor", config.mentor, task, config.paths, replace(hardware, precision=precision))
        answered = {}
        for name, images in (("pool", pool.images), ("test images", task.test.images)):
            batches = ResidentImages(images, hardware.device).batches()
            answered[name] = torch.cat([mentor(batch).argmax(1) for batch in batches])
        labels.append(answered)
    low, full = labels
    return {name: (low[name] == full[name]).double().mean().item() for name in low}


def _copied(overrides: list[str]) -> dict[str, float]:
    result = run(OmegaConf.create(composed([*overrides, "callbacks.progress_bar.refresh_rate=0"])))
    assert result is not None
    return {
        "accuracy": result.student_accuracy,
        "fidelity": result.fidelity,
        "samples/s": result.samples_per_second,
    }


def _spread(values: list[float]) -> str:
    form = "{:,.0f}" if min(values) > 1 else "{:.2%}"
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{form.format(statistics.mean(values))} ± {form.format(spread)}"


if __name__ == "__main__":
    main()
