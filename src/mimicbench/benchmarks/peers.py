"""The same work, done by what people use now: ``python -m mimicbench.benchmarks.peers``.

The Adversarial Robustness Toolbox (``pip install -e '.[bench]'``) and mimicbench copy one mentor, which replies with
labels, by one pool into networks that start from the same weights, in as many epochs and SGD batches. Each job has a
process of its own. ART's CopycatCNN and random KnockoffNets run as shipped, but for their batch sizes, which are 1 by
default; and tuned, with channels last and the precision that mimicbench chooses, neither of which ART offers by itself.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from time import perf_counter
from typing import Any

import lightning as L  # noqa: N812 (Lightning's own convention)
import numpy as np
import torch
from rich import box
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from mimicbench.benchmarks import command
from mimicbench.benchmarks.memory import peak
from mimicbench.benchmarks.turns import wait
from mimicbench.configuration import composed
from mimicbench.errors import UserError
from mimicbench.hardware import Hardware
from mimicbench.job import Job, assemble
from mimicbench.mentors import Mentor
from mimicbench.resident import answered_at_once
from mimicbench.schema import Config, check

_OURS = {"mimicbench standard": "standard", "mimicbench composite": "composite"}
_ART = {"ART CopycatCNN": "CopycatCNN", "ART KnockoffNets": "KnockoffNets"}
_CONTENDERS = [*_OURS, *(f"{name}, {how}" for how in ("as shipped", "tuned") for name in _ART)]

_MODULE = "mimicbench.benchmarks.peers"


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = command.parser(_MODULE, __doc__)
    parser.add_argument(
        "--experiment", default="embedded_vgg16", help="whose task, pool, mentor and recipe (%(default)s)"
    )
    parser.add_argument("--width", type=float, default=1.0, help="of the student (%(default)s)")
    parser.add_argument("--images", type=int, default=20_000, help="of the pool that are used (%(default)s)")
    parser.add_argument("--epochs", type=command.at_least_one, default=5)
    parser.add_argument(
        "--peer-rate", type=float, default=0.01, help="ART's learning rate, constant as it ships (%(default)s)"
    )
    parser.add_argument("--contenders", nargs="+", choices=_CONTENDERS, default=_CONTENDERS, metavar="NAME")
    parser.add_argument(
        "--repeats", type=command.at_least_one, default=3, help="of each contender, in turns (%(default)s)"
    )
    parser.add_argument("--alone", choices=_CONTENDERS, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.alone is None:
        given = sys.argv[1:] if arguments is None else arguments
        command.carry_out(lambda: _in_turns(options, given), show, options.json, arguments)
    else:
        print(json.dumps(measure(options.alone, options)))


def measure(contender: str, options: argparse.Namespace) -> dict[str, float]:
    """Let one contender copy the mentor, in this process.

    Returns:
        Seconds of asking and of training, queries, trained samples a second, peak memory, and the accuracy and
        fidelity of the copy on the task's test images.

    Raises:
        UserError: The configuration is refused.
    """
    with tempfile.TemporaryDirectory(prefix="mimicbench-") as folder:
        job = assemble(_configuration(contender, options, folder))
        if contender in _OURS:
            network, asking, training = _ours(job)
            queries, samples = job.oracle.asked, job.student.samples
        else:
            name, _, how = contender.partition(", ")
            network, asking, training = _art(job, _ART[name], how == "tuned", options)
            queries, samples = options.images, options.images * options.epochs
        memory = peak()
        return {
            "asking, s": asking,
            "training, s": training,
            "queries": queries,
            "samples/s": samples / (asking + training),
            **memory,
            **_judged(network, job),
        }


def show(report: command.Report) -> None:
    """Print the medians, and the range of the samples a second."""
    titles = list(report["repeats"][0]["measured"])
    title = "{experiment}, width {width}, {images} images, {epochs} epochs; {device}, {precision}".format(**report)
    table = Table("contender", *titles, title=title, box=box.SIMPLE)
    for contender in dict.fromkeys(repeat["contender"] for repeat in report["repeats"]):
        own = [repeat["measured"] for repeat in report["repeats"] if repeat["contender"] == contender]
        medians = {title: statistics.median(one[title] for one in own) for title in titles}
        table.add_row(contender, *(f"{value:,.0f}" if value > 10 else f"{value:.3f}" for value in medians.values()))
        rates = [one["samples/s"] for one in own]
        table.add_row(
            "", *("" if title != "samples/s" else f"{min(rates):,.0f} to {max(rates):,.0f}" for title in titles)
        )
    Console(width=120).print(table)


def _configuration(contender: str, options: argparse.Namespace, folder: str) -> Config:
    attack = _OURS.get(contender, "standard")
    overrides = [
        f"experiment={options.experiment}",
        f"attack={attack}",
        "oracle=label",
        f"student.width={options.width}",
        f"attack.samples_per_epoch={options.images}",
        f"trainer.max_epochs={options.epochs}",
        f"oracle.budget={options.images if attack == 'standard' else 'null'}",
        f"paths.output_dir={folder}",
        "callbacks.progress_bar.refresh_rate=0",
    ]
    if attack == "standard":
        overrides.append("attack.augment=null")  # ART changes no images
    return check(composed(overrides))


def _ours(job: Job) -> tuple[nn.Module, float, float]:
    asked, evaluating = _Timed(job.oracle.ask), _Evaluating()
    vars(job.oracle)["ask"] = asked  # from outside: nothing in a job needs the time of a query
    job.trainer.callbacks.append(evaluating)  # type: ignore[attr-defined]
    start = perf_counter()
    job.trainer.fit(job.student, datamodule=job.attack)
    seconds = perf_counter() - start - evaluating.seconds  # with all that a job does; ART evaluates nothing
    return job.student.network, asked.seconds, seconds - asked.seconds


def _art(job: Job, attack: str, tuned: bool, options: argparse.Namespace) -> tuple[nn.Module, float, float]:
    from art.attacks import extraction  # here, for others need not install it
    from art.estimators.classification import PyTorchClassifier

    recipe, hardware, classes = job.attack.recipe, job.hardware, job.student.classes
    shape = (3, *job.attack.pool.images.shape[1:3])
    network = job.student.network.to(hardware.device)
    model: nn.Module = _Tuned(network, hardware) if tuned else network.to(memory_format=torch.contiguous_format)
    optimizer = torch.optim.SGD(
        model.parameters(), options.peer_rate, recipe.momentum, weight_decay=recipe.weight_decay
    )
    common = {"loss": nn.CrossEntropyLoss(), "input_shape": shape, "nb_classes": classes, "clip_values": (0.0, 1.0)}
    device = "cpu" if hardware.device.type == "cpu" else "gpu"
    victim = PyTorchClassifier(_Victim(job.mentor), device_type=device, **common)
    thief = PyTorchClassifier(model, optimizer=optimizer, device_type=device, **common)
    victim.predict = asked = _Timed(victim.predict)
    images = job.attack.pool.images[: options.images].transpose(0, 3, 1, 2).astype(np.float32) / 255
    sizes = {
        "batch_size_fit": recipe.batch_size,
        "batch_size_query": answered_at_once(hardware.device) if tuned else recipe.batch_size,
    }
    copying = getattr(extraction, attack)(victim, nb_epochs=options.epochs, nb_stolen=len(images), **sizes)
    start = perf_counter()
    copying.extract(images, thieved_classifier=thief)
    return model, asked.seconds, perf_counter() - start - asked.seconds


class _Victim(nn.Module):
    """The mentor as ART takes models."""

    def __init__(self, mentor: Mentor) -> None:
        super().__init__()
        self._mentor = mentor

    def forward(self, images: Tensor) -> Tensor:
        return self._mentor(images)


class _Tuned(nn.Module):
    """A network as a user of ART may make it faster."""

    def __init__(self, network: nn.Module, hardware: Hardware) -> None:
        super().__init__()
        self._network = network
        self._hardware = hardware

    def forward(self, images: Tensor) -> Tensor:
        with self._hardware.autocast():
            logits: Tensor = self._network(images.contiguous(memory_format=torch.channels_last))
        return logits.float()


class _Evaluating(L.Callback):
    """Adds up how long the evaluations took."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def on_validation_start(self, *_: Any) -> None:
        wait()
        self._since = perf_counter()

    def on_validation_end(self, *_: Any) -> None:
        wait()
        self.seconds += perf_counter() - self._since


class _Timed:
    """A function that adds up how long its calls took."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.seconds = 0.0

    def __call__(self, *given: Any, **named: Any) -> Any:
        wait()
        start = perf_counter()
        answer = self._function(*given, **named)
        wait()
        self.seconds += perf_counter() - start
        return answer


@torch.no_grad()
def _judged(network: nn.Module, job: Job) -> dict[str, float]:
    network.to(job.hardware.device).eval()  # Lightning leaves it on the CPU
    right = alike = 0
    for images, labels, mentor_labels in job.attack.val_dataloader():
        with job.hardware.autocast():
            predicted = network(images).argmax(1)  # in one arithmetic for all
        right += int((predicted == labels).sum())
        alike += int((predicted == mentor_labels).sum())
    count = len(job.attack.val_dataloader().labels)
    return {"accuracy": right / count, "fidelity": alike / count}


def _in_turns(options: argparse.Namespace, arguments: list[str]) -> command.Report:
    _require_art(options.contenders)
    with tempfile.TemporaryDirectory(prefix="mimicbench-") as folder:
        job = assemble(_configuration(options.contenders[0], options, folder))  # trains the mentor, decodes the pool
    if len(job.attack.pool) < options.images:
        raise UserError(f"--images {options.images} are more than the {len(job.attack.pool):,} of the pool.")
    repeats = [
        {"contender": contender, "measured": command.in_own_process(_MODULE, [*arguments, "--alone", contender])}
        for contender in options.contenders * options.repeats
    ]
    return {
        "repeats": repeats,
        "mentor accuracy": job.mentor_accuracy,
        "device": job.hardware.name,
        "precision": job.hardware.precision,
        **{name: getattr(options, name) for name in ("experiment", "width", "images", "epochs", "peer_rate")},
    }


def _require_art(contenders: list[str]) -> None:
    if any(contender.startswith("ART") for contender in contenders) and find_spec("art") is None:
        raise UserError("ART is missing; pip install -e '.[bench]' installs it.")


if __name__ == "__main__":
    main()
