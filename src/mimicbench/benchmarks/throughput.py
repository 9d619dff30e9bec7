"""How near a whole job comes to what its arithmetic costs: ``python -m mimicbench.benchmarks.throughput``.

In one process, in turns, so that all figures see the same machine, in samples a second:

- T1, the best bare training step found, on batches that already lie on the device;
- T2, the mentor alone;
- T3, the generation of composites alone: random draws, gathering, blending;
- T4, a plain loop of the three;
- T5, the job itself: Lightning's Trainer with the logging, the checkpoints and the ledger of ``train.py``. Left out
  are the evaluation after each epoch and what is done once a job.

Each part does its work once for warm-up, and the job an epoch as long as a repeat.

``R_a = T5 / C_a``, with ``C_a = 1 / (1 / T1 + 1 / T2)``, says what everything but training and asking costs.
``R_b = T5 × (operations a sample) / (the device's peak)`` says how much of the device is used at all.
"""

import argparse
import copy
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from rich import box
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mimicbench.benchmarks import command, synthetic
from mimicbench.benchmarks.bare_step import bare_step
from mimicbench.benchmarks.turns import Turns, seconds_of, wait
from mimicbench.captured_step import Step
from mimicbench.errors import UserError
from mimicbench.hardware import Hardware, has_compiler
from mimicbench.job import Job, assemble
from mimicbench.mentors.folding import folded
from mimicbench.oracles.ledger import LEDGER, Ledger
from mimicbench.resident import answered_at_once
from mimicbench.schema import Config, build

_PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12}
"""Dense bfloat16 operations a second, by NVIDIA's data sheets (SXM)."""


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = command.parser("mimicbench.benchmarks.throughput", __doc__)
    parser.add_argument("--network", choices=["vgg16", "vgg16_bn"], default="vgg16_bn")
    parser.add_argument("--width", type=float, default=1.0, help="factor on the network's channels (%(default)s)")
    parser.add_argument("--batch", type=int, default=128, help="samples in an SGD step (%(default)s)")
    parser.add_argument(
        "--chunk", type=command.at_least_one, help="images asked at once (2048 on a CPU, 8192 on a GPU)"
    )
    parser.add_argument("--precision", choices=["auto", "32-true", "bf16-mixed"], default="auto")
    parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto")
    parser.add_argument("--step", choices=["auto", "eager", "captured", "compiled"], default="auto", help="of the job")
    kinds = ["eager", "captured", "compiled"]
    parser.add_argument("--bare-steps", nargs="+", choices=kinds, help="to try for T1 (all that the device has)")
    parser.add_argument("--repeats", type=command.at_least_one, default=5)
    parser.add_argument("--seconds", type=float, default=10, help="that each measurement should take (%(default)s)")
    parser.add_argument("--peak", type=float, help="of the device, in TFLOP/s, for R_b (known for some GPUs)")
    options = parser.parse_args(arguments)
    command.carry_out(lambda: measure(options), show, options.json, arguments)


def measure(options: argparse.Namespace) -> command.Report:
    """All figures, with what they were measured on.

    Args:
        options: The command line's.

    Returns:
        What the JSON file holds; ``figures`` maps each figure's name to one value a repeat.

    Raises:
        UserError: An option is refused.
    """
    on_gpu = options.device == "gpu" or (options.device == "auto" and torch.cuda.is_available())
    chunk = options.chunk or (8192 if on_gpu else 2048)
    _require_possible(options.bare_steps or [], on_gpu)
    torch.backends.cudnn.benchmark = on_gpu  # as conf/trainer has it
    overrides = [
        f"student={options.network}",
        f"student.width={options.width}",
        f"attack.chunk_size={chunk}",
        f"attack.recipe.batch_size={options.batch}",
        f"trainer.precision={options.precision}",
        f"trainer.accelerator={options.device}",
        f"trainer.sgd_step={options.step}",
    ]
    with tempfile.TemporaryDirectory(prefix="mimicbench-") as folder:
        job = assemble(synthetic.configuration(Path(folder), [*overrides, "trainer.max_epochs=1"]))
        parts, preparation = _parts(job, options.bare_steps or _bare_steps(job.hardware))
        repeats = {part.name: max(1, round(2 * options.seconds / seconds_of(part.work, 2))) for part in parts}
        samples = {part.name: part.samples * repeats[part.name] for part in parts}
        samples["T5"] = samples["T4"]
        length = [f"attack.samples_per_epoch={samples['T5']}", f"trainer.max_epochs={1 + options.repeats}"]
        job = assemble(synthetic.configuration(Path(folder), [*overrides, *length]))
        job.oracle.ledger = Ledger(Path(folder) / LEDGER, job.checkpoints.job)
        turns = Turns(lambda: {part.name: seconds_of(part.work, repeats[part.name]) for part in parts})
        job.trainer.callbacks.insert(0, turns)  # type: ignore[attr-defined]
        job.trainer.fit(job.student, datamodule=job.attack)
    seconds = {part.name: [turn[part.name] for turn in turns.measured] for part in parts} | {"T5": turns.seconds}
    figures = {name: [samples[name] / second for second in each] for name, each in seconds.items()}
    t1, t2 = _best(figures, "T1"), _best(figures, "T2")
    figures["C_a"] = [1 / (1 / learn + 1 / ask) for learn, ask in zip(figures[t1], figures[t2], strict=True)]
    figures["R_a"] = [job / ceiling for job, ceiling in zip(figures["T5"], figures["C_a"], strict=True)]
    operations = _operations(job.config)
    peak = options.peak * 1e12 if options.peak else _known_peak(job.hardware)
    if peak:
        figures["R_b"] = [t5 * operations / peak for t5 in figures["T5"]]
    return {
        "figures": figures,
        "C_a of": [t1, t2],
        "seconds to prepare": preparation,
        "samples a repeat": samples,
        "operations a sample": operations,
        "peak operations a second": peak,
        "device": job.device,
        "precision": job.hardware.precision,
        "sgd_step": job.hardware.sgd_step,
        **{name: getattr(options, name) for name in ("network", "width", "batch")},
        "chunk": chunk,
    }


def _require_possible(bare_steps: list[str], on_gpu: bool) -> None:
    if "captured" in bare_steps and not on_gpu:
        raise UserError("--bare-steps captured needs a GPU.")
    if "compiled" in bare_steps and not has_compiler():
        raise UserError("--bare-steps compiled needs a C++ compiler, such as g++.")


def _best(figures: dict[str, list[float]], kind: str) -> str:
    """The fastest of a kind, by its median."""
    return max((name for name in figures if name.startswith(kind)), key=lambda name: statistics.median(figures[name]))


def show(report: command.Report) -> None:
    """Print the figures: the median of the repeats, and their range."""
    title = "{network}, width {width}, batch {batch}, chunk {chunk}; {device}, {precision}, {sgd_step}"
    table = Table("samples a second", "median", "lowest", "highest", title=title.format(**report), box=box.SIMPLE)
    for name, values in report["figures"].items():
        form = "{:.3f}" if name.startswith("R") else "{:,.0f}"
        table.add_row(name, *(form.format(summary(values)) for summary in (statistics.median, min, max)))
    Console(width=100).print(table)
    ceiling = " and ".join(report["C_a of"])
    repeats, steps = len(report["figures"]["T5"]), report["samples a repeat"]["T5"] // report["batch"]
    print(f"{repeats} repeats; of T5 {steps:,} SGD steps each, after as many that warm up.")
    print(f"C_a is made of {ceiling}; R_a = T5 / C_a.")
    if "R_b" not in report["figures"]:
        print("R_b needs the device's --peak, which is known for some GPUs in bfloat16 only.")


@dataclass(frozen=True)
class _Part:
    name: str
    work: Callable[[], object]
    samples: int  # that the work is on


def _parts(job: Job, modes: list[Any]) -> tuple[list[_Part], dict[str, float]]:
    """What a job is made of; and how many seconds each kind of bare step took to prepare, compilation included."""
    attack, hardware, recipe, config = job.attack, job.hardware, job.attack.recipe, job.config
    chunk = attack.chunk_size
    images, replies = attack.chunk(0, 0, chunk)
    parts, preparation, steps = [], {}, {}
    for mode in dict.fromkeys([*modes, hardware.sgd_step]):
        batches = _batches(images, replies, recipe.batch_size)
        network = build("student", config.student, replies.shape[1], images.shape[-1], recipe.dropout)
        start = perf_counter()
        steps[mode] = bare_step(network, recipe, replace(hardware, sgd_step=mode), *batches[0])
        steps[mode](*batches[0])
        wait()
        preparation[mode] = perf_counter() - start
        parts.append(_Part(f"T1 {mode}", partial(_learn, steps[mode], batches), chunk))

    answering = folded(build("mentor.network", config.mentor["network"], replies.shape[1], images.shape[-1], 0.0))
    answering = replace(hardware, sgd_step="eager").fast(answering.to(hardware.device))
    usual = answered_at_once(hardware.device)
    for size in (usual // 4, usual, usual * 4):
        parts.append(_Part(f"T2 {size}", partial(_answer, answering, hardware, images.split(size)), chunk))
    if "compiled" in steps:
        compiled = replace(hardware, sgd_step="compiled").fast(copy.deepcopy(answering))
        parts.append(_Part("T2 compiled", partial(_answer, compiled, hardware, images.split(usual)), chunk))

    parts.append(_Part("T3", partial(synthetic.instantly_answered(config).chunk, 0, 0, chunk), chunk))

    def plain_loop() -> None:
        _learn(steps[hardware.sgd_step], _batches(*attack.chunk(0, 0, chunk), recipe.batch_size))

    parts.append(_Part("T4", plain_loop, chunk))
    return parts, preparation


def _batches(images: Tensor, replies: Tensor, size: int) -> list[tuple[Tensor, Tensor]]:
    return list(zip(images.split(size), replies.split(size), strict=True))


def _learn(step: Step, batches: list[tuple[Tensor, Tensor]]) -> None:
    for images, targets in batches:
        step(images, targets)


@torch.no_grad()
def _answer(network: nn.Module, hardware: Hardware, batches: tuple[Tensor, ...]) -> None:
    with hardware.autocast():
        for images in batches:
            network(images)


def _bare_steps(hardware: Hardware) -> list[str]:
    """All the kinds that the device has."""
    compiled = ["compiled"] if has_compiler() else []
    return ["eager", *([] if hardware.device.type == "cpu" else ["captured"]), *compiled]


def _operations(config: Config) -> int:
    """Floating-point operations of one sample: the mentor's answer, and the student's step."""
    network = build("student", config.student, 10, 32, 0.0)
    images = torch.rand(2, 3, 32, 32)
    with FlopCounterMode(display=False) as counter:
        with torch.no_grad():
            network(images)
        network(images).sum().backward()
    return int(counter.get_total_flops()) // len(images)


def _known_peak(hardware: Hardware) -> float | None:
    if hardware.precision != "bf16-mixed":
        return None
    return next((peak for name, peak in _PEAKS.items() if name in hardware.name), None)


if __name__ == "__main__":
    main()
