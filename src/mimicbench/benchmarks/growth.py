"""What a larger pool costs: ``python -m mimicbench.benchmarks.growth``.

For pools of growing size, each job in a process of its own: seconds from the configuration to the first answered
chunk, with the pool decoded already; training samples a second; composites generated a second, without the mentor; and
the most memory that the process ever held, less the bytes of the pool, whose pages count once they were read.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from mimicbench.benchmarks import synthetic
from mimicbench.benchmarks.turns import Turns, seconds_of
from mimicbench.errors import UserError
from mimicbench.files import atomic
from mimicbench.hardware import Hardware
from mimicbench.results import versions
from mimicbench.run import assemble
from mimicbench.schema import build

_BYTES = 3 * 32 * 32  # of an image


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m mimicbench.benchmarks.growth", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--pools", type=int, nargs="+", default=[10_000, 100_000, 1_280_000], help="images in a pool")
    parser.add_argument("--width", type=float, default=0.25, help="factor on the network's channels (%(default)s)")
    parser.add_argument("--samples", type=int, default=20_480, help="in a repeat (%(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="of each pool, in turns (%(default)s)")
    parser.add_argument("--folder", type=Path, help="for the pools; 4 GB for 1,280,000 images (a temporary one)")
    parser.add_argument("--json", type=Path, default=Path("growth.json"), help="output (%(default)s)")
    parser.add_argument("--alone", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    try:
        if options.alone is not None:
            print(json.dumps(measure(options.folder, options.alone, options.width, options.samples)))
            return
        with tempfile.TemporaryDirectory(prefix="mimicbench-", dir=options.folder) as folder:
            report = _in_turns(options, Path(folder))
    except UserError as error:
        sys.exit(str(error))
    with atomic(options.json) as temporary:
        temporary.write_text(json.dumps(report, indent=2) + "\n")
    show(report)
    print(f"{options.json} holds the same, and every repeat.")


def measure(folder: Path, images: int, width: float, samples: int) -> dict[str, float]:
    """One job on a pool that lies decoded in ``folder``, in this process.

    Returns:
        One value for each title of the table.
    """
    overrides = [
        f"student.width={width}",
        "attack.chunk_size=2048",
        f"attack.samples_per_epoch={samples}",
        "trainer.max_epochs=2",
        "callbacks.progress_bar.refresh_rate=0",
    ]
    config = synthetic.configuration(folder, overrides, images)
    start = perf_counter()
    job = assemble(config)
    job.attack.chunk(0, 0, job.attack.chunk_size)
    start_up = perf_counter() - start
    turns = Turns(lambda: {})
    job.trainer.callbacks.insert(0, turns)  # type: ignore[attr-defined]
    job.trainer.fit(job.student, datamodule=job.attack)
    attack = synthetic.instantly_answered(config)
    epoch = range(0, samples, attack.chunk_size)
    generation = seconds_of(lambda: [attack.chunk(0, start, start + attack.chunk_size) for start in epoch])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {
        "start-up, s": start_up,
        "samples/s": samples / turns.seconds[0],
        "composites/s": samples / generation,
        "peak memory less pool, GB": (peak - images * _BYTES) / 1e9,
    }


def show(report: dict[str, Any]) -> None:
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


def _in_turns(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    for images in options.pools:
        config = synthetic.configuration(folder, [], images)
        build("pool", config.pool, config.paths, 32)  # decode it
    repeats = []
    for _ in range(options.repeats):
        for images in options.pools:
            alone = ["--alone", images, "--folder", folder, "--width", options.width, "--samples", options.samples]
            command = [sys.executable, "-m", "mimicbench.benchmarks.growth", *map(str, alone)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            repeats.append({"images": images, "measured": json.loads(done.stdout.splitlines()[-1])})
            print(repeats[-1], file=sys.stderr, flush=True)
    hardware = Hardware.choose("auto", "auto", "auto")
    about = {"device": hardware.name, "precision": hardware.precision, "width": options.width, "versions": versions()}
    return {"repeats": repeats, "samples a repeat": options.samples, **about}


if __name__ == "__main__":
    main()
