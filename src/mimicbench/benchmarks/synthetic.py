"""A job on random images, of any size and without any data: what a benchmark runs."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor

from mimicbench.attacks import Attack
from mimicbench.configuration import composed
from mimicbench.hardware import Hardware
from mimicbench.images.cache import load
from mimicbench.images.source import Block
from mimicbench.job import assemble
from mimicbench.mentors import Mentor, NetworkMentor
from mimicbench.oracles.label import Label
from mimicbench.paths import Paths
from mimicbench.pools import Pool
from mimicbench.schema import Config, build, check
from mimicbench.tasks import Task
from mimicbench.tasks.task import LabelledImages

_BLOCK = 10_000


def configuration(folder: Path, overrides: list[str], pool_images: int = 20_000) -> Config:
    """The configuration of ``python train.py experiment=paper attack=composite oracle=label``, on random images.

    Args:
        folder: The job's output folder and cache.
        overrides: Hydra overrides of it.
        pool_images: Images in the pool.

    Raises:
        UserError: The code does not run from a checkout, or a value is refused.
    """
    plain = composed(["experiment=paper", f"paths.output_dir={folder}", f"paths.cache_dir={folder}", *overrides])
    network = plain["student"]
    plain["task"] = {"name": "random", "_target_": f"{__name__}.task", "images": 1000}
    plain["pool"] = {"name": "random", "_target_": f"{__name__}.pool", "images": pool_images, "seed": 0}
    plain["mentor"] = {"name": "random", "_target_": f"{__name__}.mentor", "network": network}
    return check(plain)


def instantly_answered(config: Config) -> Attack:
    """The attack of a configuration, whose oracle replies without looking: all that it costs is the generation."""
    job = assemble(config)
    _, replies = job.attack.chunk(0, 0, job.attack.chunk_size)
    job.attack.oracle = Label(_Instant(replies), budget=None)
    return job.attack


class _Instant(Mentor):
    def __init__(self, answers: Tensor) -> None:
        self._answers = answers

    def __call__(self, images: Tensor) -> Tensor:
        return self._answers[: len(images)]


def task(paths: Paths, *, images: PositiveInt) -> Task:
    """Ten classes of random images, as many to train as to test on."""
    rng = np.random.default_rng(1)
    labels = np.arange(images, dtype=np.int64) % 10
    both = LabelledImages(rng.integers(0, 256, (images, 32, 32, 3), dtype=np.uint8), labels)
    return Task(tuple(map(str, range(10))), both, both, f"random-{images}")


def pool(paths: Paths, size: int, *, images: PositiveInt, seed: NonNegativeInt) -> Pool:
    """Random images, through the same cache as real ones."""
    cached = load(_Random(images, size, seed), paths.cache_dir)
    return Pool(cached.images, cached.fingerprint)


@dataclass(frozen=True)
class _Random:
    images: int
    size: int
    seed: int

    @property
    def name(self) -> str:
        return "random"

    def identity(self) -> list[str]:
        return [f"{self.images} {self.size} {self.seed}"]

    def expected(self) -> int:
        return self.images

    def blocks(self) -> Iterator[Block]:
        rng = np.random.default_rng(self.seed)
        for start in range(0, self.images, _BLOCK):
            count = min(_BLOCK, self.images - start)
            yield Block(rng.integers(0, 256, (count, self.size, self.size, 3), dtype=np.uint8))


def mentor(task: Task, paths: Paths, hardware: Hardware, *, network: dict[str, Any]) -> Mentor:
    """An untrained network: it answers as slowly as a trained one."""
    torch.manual_seed(0)
    return NetworkMentor(build("mentor.network", network, len(task.classes), task.size, 0.0), task.classes, hardware)
