"""Trains a network in float64 on some devices: ``python -m tests.two_ranks FILE DEVICES``."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning as L  # noqa: N812
import torch

from mimicbench.in_step import InStep
from mimicbench.learner import Chunk
from mimicbench.networks.synchronised import SynchroniseBatchNorm
from mimicbench.networks.vgg import VGG16
from mimicbench.rank import Rank
from mimicbench.student import Student
from tests.standins import make_recipe

SAMPLES, CHUNK, BATCH, TEST = 75, 32, 16, 21  # the last batch is one of 11


class Listed:
    """As Lightning takes it, and not for several loaders."""

    def __init__(self, items: list[Any]) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)


def samples_of(rank: Rank) -> tuple[Listed, Listed]:
    """The parts that a rank learns, and is measured on."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(SAMPLES, 3, 32, 32, dtype=torch.float64, generator=generator)
    targets = torch.rand(SAMPLES, 4, dtype=torch.float64, generator=generator).softmax(1)
    chunks: list[Chunk] = []
    for part, replies in zip(images.split(CHUNK), targets.split(CHUNK), strict=True):
        rows = rank.rows(len(part), BATCH)
        chunks.append((part[rows], replies[rows], len(part)))
    tested = [(images[i : i + 1], torch.tensor([i % 4]), torch.tensor([i % 3])) for i in range(*rank.part(TEST))]
    return Listed(chunks), Listed(tested)


def main(file: str, devices: int) -> None:
    torch.set_num_threads(1)
    rank = Rank.of_this_process(devices, 1)
    L.seed_everything(0, verbose=False)
    network = VGG16(4, 32, 0.0, width=0.1, batch_norm=True).double()
    steps = 2 * -(-SAMPLES // BATCH)
    student = Student(
        network, make_recipe(batch_size=BATCH, learning_rate=0.01, schedule="one_cycle"), steps, 4, rank=rank
    )
    chunks, tested = samples_of(rank)
    trainer = L.Trainer(
        accelerator="cpu",
        devices=devices,
        max_epochs=2,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        precision="64-true",
        callbacks=[InStep(rank, "job", Path("last.ckpt"))],
        plugins=[SynchroniseBatchNorm()] if devices > 1 else [],
    )
    losses: list[float] = []
    student.on_train_epoch_end = lambda: losses.append(student.mean_loss)  # type: ignore[method-assign]
    trainer.fit(student, chunks, tested)  # type: ignore[arg-type]
    if rank.first:
        found = {"state": network.state_dict(), "losses": losses, "samples": student.samples, **student.measured}
        torch.save(
            found | {"steps": student.global_step, "layers": [type(one).__name__ for one in network.modules()]}, file
        )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
