"""What a mentor's owner has at hand to protect it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from mimicbench.counter_rng import seed_for
from mimicbench.hardware import Hardware
from mimicbench.mentors import Mentor, NetworkMentor
from mimicbench.paths import Paths
from mimicbench.schema import build
from mimicbench.tasks import Task


@dataclass(frozen=True)
class Owner:
    """What a protection may be built with, besides the mentor itself.

    Attributes:
        task: What the mentor was trained on.
        paths: Networks that are trained for a protection are kept in ``cache_dir``.
        hardware: Where they are trained and run.
    """

    task: Task
    paths: Paths
    hardware: Hardware

    def network(self, key: str, node: Mapping[str, Any], seed: int, dropout: float = 0.0, number: int = 0) -> nn.Module:
        """A network for the task's images and classes, with random weights.

        Args:
            key: Where ``node`` stands in the configuration.
            node: Its configuration, with ``_target_``.
            seed: Decides the weights, with ``key``; the program's own random numbers stay as they are.
            dropout: Of its dense layers.
            number: Among several of one seed, whose weights differ.
        """
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed_for(f"{key} {number}", seed))
            network: nn.Module = build(key, node, len(self.task.classes), self.task.size, dropout)
        return network

    def answering(self, network: nn.Module) -> Mentor:
        """A network as something that answers images with probabilities."""
        return NetworkMentor(network, self.task.classes, self.hardware)
