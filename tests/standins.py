"""Small stand-ins for the parts around the one under test."""

from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TypeVar

import lightning as L  # noqa: N812
import numpy as np
import torch
from torch import Tensor, nn

from mimicbench.attacks import Attack
from mimicbench.attacks.composite import Composite
from mimicbench.attacks.standard import Standard
from mimicbench.evaluation import Evaluation
from mimicbench.hardware import Hardware
from mimicbench.learner import Chunk, Samples
from mimicbench.mentors import Mentor
from mimicbench.oracles import Oracle
from mimicbench.oracles.label import Label
from mimicbench.pools import Pool
from mimicbench.recipe import Recipe
from mimicbench.resident import ResidentImages
from mimicbench.tasks.task import LabelledImages, Task
from tests.making import pictures

A = TypeVar("A", bound=Attack)
CPU = torch.device("cpu")
FLOAT32 = Hardware(CPU, "32-true")
BFLOAT16 = Hardware(CPU, "bf16-mixed")


def make_recipe(**changes: Any) -> Recipe:
    table2 = {"batch_size": 1, "learning_rate": 0.001, "momentum": 0.9, "weight_decay": 0.0, "dropout": 0.0}
    return Recipe(**{**table2, "schedule": "step", **changes})


def make_pool(count: int, size: int = 4, seed: int = 0) -> Pool:
    return Pool(pictures(count, size, seed), f"pool-{count}-{size}-{seed}")


def numbered_pool(count: int) -> Pool:
    """Images of one pixel that tell their own number; see :func:`numbers`."""
    images = np.zeros((count, 1, 1, 3), dtype=np.uint8)
    images[:, 0, 0, 0], images[:, 0, 0, 1] = np.arange(count) // 256, np.arange(count) % 256
    return Pool(images, f"numbered-{count}")


def numbers(images: Tensor) -> list[int]:
    high, low = (images[:, :2, 0, 0] * 255).round().long().unbind(1)
    return (256 * high + low).tolist()


class SpyMentor(Mentor):
    """Answers every image by itself, in float64, and keeps what it saw."""

    def __init__(self, inputs: int = 4 * 4 * 3, classes: int = 5) -> None:
        self.classes = tuple(map(str, range(classes)))
        self.device = CPU
        self.network = nn.Identity()
        self.fingerprint = f"spy-{inputs}-{classes}"
        self.seen: list[Tensor] = []
        self._weight = torch.randn(inputs, classes, dtype=torch.float64, generator=torch.manual_seed(5))

    @property
    def asked(self) -> Tensor:
        return torch.cat(self.seen)

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        self.seen.append(images.clone())
        logits = (images.double().flatten(1) - 0.5) @ self._weight
        return (4 * logits).softmax(1).float()


def make_composite(pool: Pool, epochs: int = 1, budget: int | None = None, seed: int = 0, **changes: Any) -> Composite:
    own = {
        "samples_per_epoch": 10,
        "images": 2,
        "ratio": "percent",
        "refresh": "epoch",
        "chunk_size": 1,
        "use": "reply",
    }
    return Composite(pool, seed, epochs, budget, **{**own, "augment": None, "recipe": make_recipe(), **changes})


def make_standard(pool: Pool, epochs: int = 1, budget: int | None = None, seed: int = 0, **changes: Any) -> Standard:
    own = {"samples_per_epoch": None, "chunk_size": 1, "use": "reply", "augment": None, "recipe": make_recipe()}
    return Standard(pool, seed, epochs, budget, **{**own, **changes})


def attached(attack: A, replies: Path, oracle: Oracle | None = None, mentor: Mentor | None = None) -> A:
    inputs = int(np.prod(attack.pool.images.shape[1:]))
    attack.attach(oracle or Label(mentor or SpyMentor(inputs), budget=None), no_evaluation(), CPU, replies)
    return attack


def no_evaluation() -> Evaluation:
    nothing = torch.zeros(0, dtype=torch.int64)
    return Evaluation(ResidentImages(pictures(0), CPU), nothing, nothing)


def epoch_of(attack: Attack, epoch: int, chunk_size: int | None = None) -> Samples:
    """All training samples of one epoch, chunk after chunk."""
    size, count = chunk_size or attack.chunk_size, attack.samples(epoch)
    chunks = [attack.chunk(epoch, start, min(start + size, count)) for start in range(0, count, size)]
    images, replies = zip(*chunks, strict=True)
    return torch.cat(images), torch.cat(replies)


class ListedChunks:
    """Fixed training samples, cut into chunks."""

    def __init__(self, images: Tensor, targets: Tensor, chunk_size: int) -> None:
        parts = zip(images.split(chunk_size), targets.split(chunk_size), strict=True)
        self._chunks: list[Chunk] = [(*part, len(part[0])) for part in parts]

    def __len__(self) -> int:
        return len(self._chunks)

    def __iter__(self) -> Any:
        return iter(self._chunks)


def make_trainer(epochs: int = 1, **changes: Any) -> L.Trainer:
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    fast = {"accelerator": "cpu", "max_epochs": epochs, "num_sanity_val_steps": 0, "enable_model_summary": False}
    return L.Trainer(**{**quiet, **fast, **changes})


class ReplayedWork:
    """Stands in for a CUDA graph: replays by doing the work again."""

    def __init__(self, warm_up: int = 3) -> None:
        self._warm_up = warm_up
        self.replayed = 0

    def record(self, work: Callable[[], None]) -> None:
        with torch.random.fork_rng():
            for _ in range(self._warm_up):
                work()
        self._work = work

    def replay(self) -> None:
        self.replayed += 1
        self._work()


def make_task(per_class: int = 8, classes: int = 3, size: int = 32, seed: int = 0) -> Task:
    """Images of noise, each class with a brightness of its own."""
    rng = np.random.default_rng(seed)

    def split(count: int) -> LabelledImages:
        labels = rng.permutation(np.repeat(np.arange(classes), count)).astype(np.int64)
        level = (labels * (200 // (classes - 1)))[:, None, None, None]
        return LabelledImages((level + rng.integers(0, 56, (len(labels), size, size, 3))).astype(np.uint8), labels)

    return Task(tuple(map(str, range(classes))), split(per_class), split(4), f"task-{per_class}-{classes}-{seed}")


def randomised(network: nn.Module) -> nn.Module:
    """Batch norm's running statistics away from their initial values, as after training."""
    for name, value in network.named_buffers():
        if name.endswith("running_mean"):
            nn.init.normal_(value, std=0.2)
        elif name.endswith("running_var"):
            nn.init.uniform_(value, 0.5, 1.5)
    return network


def until(happened: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for what another thread does."""
    end = monotonic() + seconds
    while not happened():
        assert monotonic() < end, "it never happened"
        sleep(0.01)


def spied(monkeypatch: Any, owner: Any, name: str) -> list[tuple[Any, ...]]:
    """Record the arguments of each call of ``owner.name``, which works on."""
    calls: list[tuple[Any, ...]] = []
    original: Callable[..., Any] = getattr(owner, name)

    def recording(*given: Any, **named: Any) -> Any:
        calls.append(given)
        return original(*given, **named)

    monkeypatch.setattr(owner, name, recording)
    return calls
