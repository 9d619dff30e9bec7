"""What a larger pool costs: ``python -m mimicbench.benchmarks.growth``.

For pools of growing size, each job in a process of its own: seconds from the configuration to the first answered
chunk, with the pool decoded already; training samples a second; composites generated a second, without the mentor; and
the most memory that the process ever held, of which the pool is a part as far as its pages were read.
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from time import perf_counter

from rich import box
from rich.console import Console
from rich.table import Table

from mimicbench.benchmarks import command, synthetic
from mimicbench.benchmarks.memory import mapped, peak
from mimicbench.benchmarks.turns import Turns, seconds_of, wait
from mimicbench.hardware import Hardware, limit_threads
from mimicbench.job import assemble
from mimicbench.results import versions
from mimicbench.schema import build

_MODULE = "mimicbench.benchmarks.growth"


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = command.parser(_MODULE, __doc__)
    parser.add_argument("--pools", type=int, nargs="+", default=[10_000, 100_000, 1_280_000], help="images in a pool")
    parser.add_argument("--width", type=float, default=0.25, help="factor on the network's channels (%(default)s)")
    parser.add_argument("--samples", type=int, default=20_480, help="in a repeat (%(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="of each pool, in turns (%(default)s)")
    parser.add_argument("--folder", type=Path, help="for the pools; 4 GB for 1,280,000 images (a temporary one)")
    parser.add_argument("--alone", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.alone is None:
        command.carry_out(lambda: _in_turns(options), show, options.json)
    else:
        print(json.dumps(measure(options.folder, options.alone, options.width, options.samples)))


def measure(folder: Path, images: int, width: float, samples: int) -> dict[str, float]:
    """One job on a pool that lies decoded in ``folder``, in this process.

    Returns:
        One value for each title of the table.
    """
    chunk = 2048 if Hardware.choose("auto", "auto", "auto").device.type == "cpu" else 8192
    overrides = [
        f"student.width={width}",
        f"attack.chunk_size={chunk}",
        f"attack.samples_per_epoch={samples}",
        "trainer.max_epochs=2",
        "callbacks.progress_bar.refresh_rate=0",
    ]
    config = synthetic.configuration(folder, overrides, images)
    start = perf_counter()
    job = assemble(config)
    job.attack.chunk(0, 0, job.attack.chunk_size)
    wait()
    start_up = perf_counter() - start
    turns = Turns(lambda: {})
    job.trainer.callbacks.insert(0, turns)  # type: ignore[attr-defined]
    job.trainer.fit(job.student, datamodule=job.attack)
    memory = {**peak(), "of it pool, GB": mapped("random-")}
    attack = synthetic.instantly_answered(config)

    def generate() -> None:
        for start in range(0, samples, attack.chunk_size):
            attack.chunk(0, start, min(start + attack.chunk_size, samples))

    return {
        "start-up, s": start_up,
        "samples/s": samples / turns.seconds[0],
        "composites/s": samples / seconds_of(generate),
        **memory,
    }


def show(report: command.Report) -> None:
    """Print the medians, with their ranges."""
    titles = list(report["repeats"][0]["measured"])
    table = Table("pool", *titles, title="{device}, {precision}, width {width}".format(**report), box=box.SIMPLE)
    for images in dict.fromkeys(repeat["images"] for repeat in report["repeats"]):
        own = [repeat["measured"] for repeat in report["repeats"] if repeat["images"] == images]
        table.add_row(f"{images:,}", *(_range([one[title] for one in own]) for title in titles))
    Console(width=120).print(table)


def _range(values: list[float]) -> str:
    form = "{:,.0f}" if min(values) > 100 else "{:.2f}"
    return "{} ({} to {})".format(*(form.format(f(values)) for f in (statistics.median, min, max)))


def _in_turns(options: argparse.Namespace) -> command.Report:
    repeats = []
    with tempfile.TemporaryDirectory(prefix="mimicbench-", dir=options.folder) as folder:
        for images in options.pools:
            config = synthetic.configuration(Path(folder), [], images)
            build("pool", config.pool, config.paths, 32)  # decode it
        for images in options.pools * options.repeats:
            alone = ["--alone", images, "--folder", folder, "--width", options.width, "--samples", options.samples]
            repeats.append({"images": images, "measured": command.in_own_process(_MODULE, list(map(str, alone)))})
    limit_threads()
    hardware = Hardware.choose("auto", "auto", "auto")
    about = {"device": hardware.name, "precision": hardware.precision, "width": options.width, "versions": versions()}
    return {"repeats": repeats, "samples a repeat": options.samples, **about}


if __name__ == "__main__":
    main()
