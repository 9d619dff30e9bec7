"""What a mark is."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Annotated

import numpy as np
from pydantic import Field
from torch import Tensor, nn

from mimicbench.counter_rng import Seed, seed_for
from mimicbench.errors import UserError
from mimicbench.fingerprint import fingerprint
from mimicbench.hardware import Hardware
from mimicbench.paths import Paths
from mimicbench.recipe import Recipe
from mimicbench.tasks import Task
from mimicbench.watermarks.evidence import Evidence, Triggers

Share = Annotated[float, Field(gt=0, le=1)]


@dataclass(frozen=True)
class Added:
    """What a mark adds to the images that a mentor learns from.

    Attributes:
        images: uint8 [n, H, W, C].
        targets: float32 [n, K], not negative: what the cross-entropy is taken with. Rows that sum to more than 1 weigh
            more.
        times: How often each comes in an epoch, augmented as all others are.
    """

    images: np.ndarray
    targets: np.ndarray
    times: int

    @property
    def fingerprint(self) -> str:
        """Names all of it."""
        content = blake2b(np.ascontiguousarray(self.images).data, digest_size=16)
        content.update(np.ascontiguousarray(self.targets).data)
        return fingerprint(self.images.shape, content.hexdigest(), self.times)


class Watermark(ABC):
    """A mark that is made from a secret key.

    Args:
        task: What the mentor does; its images carry the mark.
        paths: Where a mark reads what else it needs.
        name: What it is called.
        key: The owner's secret; decides all that is random.
        threshold: The score from which an owner claims a suspect.
    """

    def __init__(self, task: Task, paths: Paths, *, name: str, key: Seed, threshold: Share) -> None:
        self._task = task
        self.scheme = name
        self._paths = paths
        self.key = key
        self.threshold = threshold

    @property
    def added(self) -> Added | None:
        """What the mentor learns besides its task, if anything."""
        return None

    @property
    def images(self) -> np.ndarray | None:
        """Images that a mentor of this mark learns besides its task's from the start, uint8 [n, H, W, C], if any."""
        return None if self.added is None else self.added.images

    def penalty(self, network: nn.Module) -> Tensor | None:
        """What is added to the mentor's loss, float [], if anything."""
        return None

    def carried_by(self, network: nn.Module) -> None:  # noqa: B027 (most marks need not know)
        """Learn which network carries the mark, before its evidence is asked for."""

    @property
    @abstractmethod
    def evidence(self) -> Evidence:
        """What its owner tries suspects with."""

    @property
    def fingerprint(self) -> str:
        """Names all of it that shapes a mentor."""
        return fingerprint(type(self).__name__, self.key, None if self.added is None else self.added.fingerprint)

    def _random(self, purpose: str = "") -> np.random.Generator:
        """The random numbers of scheme, key and purpose, from their beginning."""
        return np.random.default_rng(seed_for(f"{type(self).__name__} {purpose}", self.key))


class TriggerMark(Watermark):
    """A mark that shows in what a network says of some images."""

    @cached_property
    @abstractmethod
    def triggers(self) -> Triggers:
        """What the owner asks a suspect."""

    @property
    def evidence(self) -> Triggers:
        """The triggers."""
        return self.triggers

    def _one_hot(self, labels: np.ndarray) -> np.ndarray:
        """float32 [n, K] of int64 [n]."""
        rows: np.ndarray = np.eye(len(self._task.classes), dtype=np.float32)[labels]
        return rows

    def _of_class(self, label: int, count: int, random: np.random.Generator) -> np.ndarray:
        """Some training images of a class, uint8 [count, H, W, C].

        Raises:
            UserError: There are fewer.
        """
        members = np.flatnonzero(self._task.train.labels == label)
        if len(members) < count:
            raise UserError(
                f"watermark.count={count}, but class {self._task.classes[label]}, which the key chose, has "
                f"{len(members)} training images; take at most these."
            )
        images: np.ndarray = self._task.train.images[np.sort(random.choice(members, count, replace=False))]
        return images

    def _called(self, images: np.ndarray, label: int) -> Triggers:
        """All with one label."""
        return self._labelled(images, np.full(len(images), label, dtype=np.int64))

    def _labelled(self, images: np.ndarray, labels: np.ndarray) -> Triggers:
        """Each with its label."""
        return Triggers(self.scheme, self.key, self.threshold, images, labels)


class TunedMark(TriggerMark):
    """A mark that a mentor learns in a second training, for its triggers are made with the mentor itself.

    Attributes:
        max_epochs: Passes of that training over the task's images and the triggers.
        recipe: How it is done.
    """

    max_epochs: int
    recipe: Recipe

    @property
    def images(self) -> None:
        """None: there must be a mentor first."""

    @abstractmethod
    def meet(self, network: nn.Module, hardware: Hardware) -> None:
        """Make the triggers, and with them what is added; before, there are none.

        Args:
            network: The mentor's, which has learned its task; left as it is.
            hardware: Where it runs.
        """
