"""How an owner's network is trained on the task."""

from typing import Any

import torch
from pydantic import ConfigDict, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass

from mimicbench.augmentation import Augmentation
from mimicbench.counter_rng import Seed
from mimicbench.mentors.training import TaskChunks
from mimicbench.recipe import Recipe
from mimicbench.schema import Component
from mimicbench.tasks import Task
from mimicbench.watermarks import Added


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Course:
    """All that is configured of a training.

    Attributes:
        network: The network's own configuration, with ``_target_``.
        seed: Decides initial weights, orders and augmentation.
        max_epochs: Passes over the task's training images.
        samples_per_epoch: Training images in a pass, a random part of them; None for all.
        recipe: Optimiser, batch size and schedule.
        augment: How training images are changed, if at all.
        checkpoint_minutes: Between two checkpoints within an epoch, from which a killed training goes on.
    """

    network: Component
    seed: Seed
    max_epochs: PositiveInt
    samples_per_epoch: PositiveInt | None
    recipe: Recipe
    augment: Augmentation | None
    checkpoint_minutes: PositiveFloat

    @property
    def shape(self) -> dict[str, Any]:
        """The plain values that decide what is learned."""
        return {
            "network": self.network,
            "seed": self.seed,
            "epochs": [self.max_epochs, self.samples_per_epoch],
            "recipe": vars(self.recipe),
            "augment": None if self.augment is None else vars(self.augment),
        }

    def chunks(self, task: Task, device: torch.device, added: Added | None = None) -> TaskChunks:
        """The task's training images, and what is added to them."""
        return TaskChunks(task, device, self.seed, self.augment, self.recipe.batch_size, self.samples_per_epoch, added)

    def steps(self, samples: int) -> int:
        """SGD steps of the whole training, each pass being over so many samples."""
        return self.max_epochs * -(-samples // self.recipe.batch_size)
