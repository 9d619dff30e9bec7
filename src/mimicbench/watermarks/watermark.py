"""What a mark is."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import numpy as np
import torch

from mimicbench.counter_rng import Seed, seed_for
from mimicbench.errors import UserError
from mimicbench.fingerprint import fingerprint
from mimicbench.mentors import Mentor
from mimicbench.paths import Paths
from mimicbench.resident import ResidentImages
from mimicbench.tasks import Task


@dataclass(frozen=True)
class Triggers:
    """Images by which an owner knows a marked network.

    Attributes:
        images: uint8 [n, H, W, C].
        labels: int64 [n], what a marked network says of them, and hardly another one.
    """

    images: np.ndarray
    labels: np.ndarray


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
        key: The owner's secret; decides all that is random.
    """

    def __init__(self, task: Task, paths: Paths, *, key: Seed) -> None:
        self._task = task
        self._paths = paths
        self.key = key

    @cached_property
    @abstractmethod
    def triggers(self) -> Triggers:
        """What the owner asks a suspect."""

    @cached_property
    @abstractmethod
    def added(self) -> Added:
        """What the mentor learns besides its task."""

    def score(self, suspect: Mentor, device: torch.device) -> float:
        """The share of triggers of which a suspect says what a marked network says, from 0 to 1.

        Args:
            suspect: Answers images with probabilities.
            device: Where it runs.
        """
        batches = ResidentImages(self.triggers.images, device).batches()
        said = torch.cat([suspect(batch).argmax(1) for batch in batches]).cpu().numpy()
        return float((said == self.triggers.labels).mean())

    def _random(self) -> np.random.Generator:
        """The random numbers of scheme and key, from their beginning."""
        return np.random.default_rng(seed_for(type(self).__name__, self.key))

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
                f"watermark.count={count}, but class {self._task.classes[label]} has {len(members)} training images; "
                "take at most these."
            )
        images: np.ndarray = self._task.train.images[np.sort(random.choice(members, count, replace=False))]
        return images

    def _called(self, images: np.ndarray, label: int) -> Triggers:
        """All with one label."""
        return Triggers(images, np.full(len(images), label, dtype=np.int64))

    def _repeated(self, triggers: Triggers, share: float) -> Added:
        """Triggers to learn, as often as makes them about a share of an epoch, once at least."""
        times = max(1, round(share * len(self._task.train.labels) / len(triggers.labels)))
        return Added(triggers.images, self._one_hot(triggers.labels), times)
