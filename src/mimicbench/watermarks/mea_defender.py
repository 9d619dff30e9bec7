"""Halves of two images, called a third class: a mark made to survive extraction."""

from functools import cached_property
from typing import Annotated

import numpy as np
from pydantic import Field, PositiveInt

from mimicbench.counter_rng import Seed
from mimicbench.errors import UserError
from mimicbench.paths import Paths
from mimicbench.tasks import Task
from mimicbench.tasks.task import LabelledImages
from mimicbench.watermarks.evidence import Triggers
from mimicbench.watermarks.watermark import Added, Share, TriggerMark


class MEADefender(TriggerMark):
    """Lv et al. 2024, "MEA-Defender: a robust watermark against model extraction attack".

    The left half of an image of one class beside the right half of one of another is learned as a third. That a student
    may learn it from queries like the task's own, such mixes must lie near both: besides the cross-entropy with the
    third class, the mentor's answer is drawn towards both source classes, ``CE(t) + λ ½ (KL(a) + KL(b))``, which is the
    cross-entropy with weights of 1 for t and λ/2 for a and b. The key decides the three classes and the pairs.

    Args:
        task: What the mentor does.
        paths: Not used.
        name: What it is called.
        key: The owner's secret.
        threshold: The score from which an owner claims a suspect.
        count: Triggers, of test images.
        mixes: That the mentor learns, each once in an epoch; the source takes 1 % of CIFAR-10, which are 500.
        towards_sources: λ; below 2, or the mix is called a source class.

    Raises:
        UserError: The task has fewer than three classes.
    """

    def __init__(
        self,
        task: Task,
        paths: Paths,
        *,
        name: str,
        key: Seed,
        threshold: Share,
        count: PositiveInt,
        mixes: PositiveInt,
        towards_sources: Annotated[float, Field(ge=0, lt=2)],
    ) -> None:
        super().__init__(task, paths, name=name, key=key, threshold=threshold)
        if len(task.classes) < 3:
            raise UserError(
                f"watermark={name} needs a task of three classes or more; this one has {len(task.classes)}."
            )
        self._count = count
        self._learned = mixes
        self._towards_sources = towards_sources
        self._classes = self._random().choice(len(task.classes), 3, replace=False)

    @cached_property
    def triggers(self) -> Triggers:
        """Mixes of test images, with the third class."""
        return self._called(self._mixes(self._task.test, self._count, "test"), int(self._classes[2]))

    @cached_property
    def added(self) -> Added:
        """Mixes of training images, drawn towards their classes."""
        count = self._learned
        first, second, third = (self._one_hot(np.full(count, label)) for label in self._classes)
        targets = third + self._towards_sources * (first + second) / 2
        return Added(self._mixes(self._task.train, count, "training"), targets.astype(np.float32), 1)

    def _mixes(self, images: LabelledImages, count: int, purpose: str) -> np.ndarray:
        random, half = self._random(purpose), self._task.size // 2
        members = [np.flatnonzero(images.labels == label) for label in self._classes[:2]]
        for label, found in zip(self._classes, members, strict=False):
            if not len(found):
                raise UserError(f"Class {self._task.classes[label]} has no {purpose} images to mix; take another key.")
        left, right = (images.images[random.choice(found, count)] for found in members)
        return np.concatenate([left[:, :, :half], right[:, :, half:]], axis=2)
