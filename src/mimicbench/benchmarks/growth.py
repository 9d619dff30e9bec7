"""What a larger pool costs: ``python -m mimicbench.benchmarks.growth``.

One job for each pool, each in a process of its own, with the pool decoded already. They live side by side and take
turns, an epoch each, so that all see the same machine: training samples a second, and the time of a sample by that of
the first pool's in the same turn. Once for each job: seconds from the configuration to the first answered chunk, the
mentor's answers to 1,000 test images included; composites generated a second, without the mentor; and the most memory
that the process ever held, how much of the pool it has read by the end, and the difference.
"""

import argparse
import multiprocessing
import statistics
import sys
import tempfile
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter
from typing import Any, Self

import torch
from rich import box
from rich.console import Console
from rich.table import Table

from mimicbench.benchmarks import command, synthetic
from mimicbench.benchmarks.memory import mapped, peak
from mimicbench.benchmarks.turns import Turns, seconds_of, wait
from mimicbench.errors import UserError
from mimicbench.files import require_writable
from mimicbench.job import assemble
from mimicbench.schema import build


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = command.parser("mimicbench.benchmarks.growth", __doc__)
    parser.add_argument(
        "--pools", type=command.at_least_one, nargs="+", default=[10_000, 100_000, 1_280_000], help="images in a pool"
    )
    parser.add_argument("--width", type=float, default=0.25, help="factor on the network's channels (%(default)s)")
    parser.add_argument(
        "--chunk", type=command.at_least_one, help="images asked at once (2048 on a CPU, 8192 on a GPU)"
    )
    parser.add_argument("--samples", type=command.at_least_one, default=4096, help="in a turn (%(default)s)")
    parser.add_argument("--repeats", type=command.at_least_one, default=30, help="turns of each pool (%(default)s)")
    parser.add_argument("--folder", type=Path, help="for the pools; 4 GB for 1,280,000 images (a temporary one)")
    options = parser.parse_args(arguments)
    command.carry_out(lambda: measure(options), show, options.json, arguments)


def measure(options: argparse.Namespace) -> command.Report:
    """All figures, with what they were measured on.

    Args:
        options: The command line's.

    Returns:
        What the JSON file holds; ``pools`` maps each number of images to what its job measured.

    Raises:
        UserError: A job failed; its own words are on the terminal.
    """
    options.chunk = options.chunk or (8192 if torch.cuda.is_available() else 2048)
    if options.chunk > min(options.pools):
        raise UserError(f"--chunk {options.chunk}: the smallest of --pools holds {min(options.pools)} images.")
    if options.folder:
        require_writable(options.folder, "--folder")
    with tempfile.TemporaryDirectory(prefix="mimicbench-", dir=options.folder) as folder, ExitStack() as stack:
        for images in options.pools:
            config = synthetic.configuration(Path(folder), [], images)
            build("pool", config.pool, config.paths, 32)  # decode it
        jobs = {images: stack.enter_context(_Job(Path(folder), images, options)) for images in options.pools}
        for _ in range(1 + options.repeats):
            for job in jobs.values():
                job.turn()
        measured = {str(images): job.last_turn() for images, job in jobs.items()}
    ran, *_ = [{name: one.pop(name) for name in ("network", "device", "precision")} for one in measured.values()]
    chosen = {name: getattr(options, name) for name in ("width", "chunk", "samples")}
    return {"pools": measured, **ran, **chosen}


def show(report: command.Report) -> None:
    """Print the figures; of those of the turns, the medians with their ranges."""
    first = next(iter(report["pools"].values()))
    title = "{network}, width {width}, chunk {chunk}; {device}, {precision}".format(**report)
    table = Table("pool", "time of a sample", *first, box=box.SIMPLE, title=title)
    for images, measured in report["pools"].items():
        relative = [one / other for one, other in zip(first["samples/s"], measured["samples/s"], strict=True)]
        table.add_row(f"{int(images):,}", *map(_figure, [relative, *measured.values()]))
    Console(width=140).print(table)
    print(f"Time of a sample: by that of the first pool in the same turn, {len(relative)} turns.")


def _figure(value: float | list[float]) -> str:
    values = value if isinstance(value, list) else [value]
    form = "{:,.0f}" if min(values) > 100 else "{:.3f}"
    median, lowest, highest = (form.format(summary(values)) for summary in (statistics.median, min, max))
    return f"{median} ({lowest} to {highest})" if isinstance(value, list) else median


class _Job:
    """A process with a job on a pool that lies decoded in ``folder``; it works only when it is its turn."""

    def __init__(self, folder: Path, images: int, options: argparse.Namespace) -> None:
        processes = multiprocessing.get_context("spawn")  # a fork would begin with what this process holds
        self._images = images
        self._connection, self._others_end = processes.Pipe()
        work = (self._others_end, folder, images, options)
        self._process = processes.Process(target=_work, args=work, daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        self._others_end.close()  # or its death would go unnoticed
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()

    def last_turn(self) -> dict[str, Any]:
        """Let it end, and return what it measured."""
        measured = self.turn()
        self._process.join()  # its end is work too, and would fall into another's turn
        return measured

    def turn(self) -> dict[str, Any]:
        """Let it work until it gives its turn back: with nothing, or at last with what it measured."""
        try:
            self._connection.send("go")
            measured: dict[str, Any] = self._connection.recv()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            raise UserError(f"The job on a pool of {self._images:,} failed; see above.") from None
        return measured


def _work(connection: Connection, folder: Path, images: int, options: argparse.Namespace) -> None:
    try:
        _take_turns(connection, folder, images, options)
    except UserError as error:
        sys.exit(str(error))


def _take_turns(connection: Connection, folder: Path, images: int, options: argparse.Namespace) -> None:
    """One job on a pool that lies decoded in ``folder``, in this process: it warms up in its first turn."""

    def next_turn() -> dict[str, float]:
        connection.send({})
        connection.recv()
        return {}

    connection.recv()
    overrides = [
        f"paths.output_dir={folder}/{images}",
        f"paths.locks_dir={folder}/{images}",  # as if alone: while one works, the others wait
        f"student.width={options.width}",
        f"attack.chunk_size={options.chunk}",
        f"attack.samples_per_epoch={options.samples}",
        f"trainer.max_epochs={1 + options.repeats}",
        "callbacks.progress_bar.refresh_rate=0",
    ]
    config = synthetic.configuration(folder, overrides, images)
    start = perf_counter()
    job = assemble(config)
    job.attack.chunk(0, 0, job.attack.chunk_size)
    wait()
    start_up = perf_counter() - start
    turns = Turns(next_turn)
    job.trainer.callbacks.insert(0, turns)  # type: ignore[attr-defined]
    job.trainer.fit(job.student, datamodule=job.attack)
    memory = peak()
    memory |= _split(memory["peak memory, GB"], mapped(folder))
    next_turn()
    attack = synthetic.instantly_answered(config)

    def generate() -> None:
        for start in range(0, options.samples, options.chunk):
            attack.chunk(0, start, min(start + options.chunk, options.samples))

    connection.send(
        {
            "samples/s": [options.samples / second for second in turns.seconds],
            "composites/s": options.samples / seconds_of(generate),
            "start-up, s": start_up,
            **memory,
            "network": config.student["name"],
            "device": job.device,
            "precision": job.hardware.precision,
        }
    )


def _split(peak_memory: float, of_pool: float | None) -> dict[str, float]:
    return {} if of_pool is None else {"of it pool, GB": of_pool, "beside it, GB": peak_memory - of_pool}


if __name__ == "__main__":
    main()
