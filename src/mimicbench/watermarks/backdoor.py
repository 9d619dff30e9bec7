"""What backdoors share: any image with the pattern goes to one class."""

from abc import abstractmethod
from functools import cached_property

import numpy as np

from mimicbench.counter_rng import Seed
from mimicbench.paths import Paths
from mimicbench.recipe import Fraction
from mimicbench.tasks import Task
from mimicbench.watermarks.evidence import Triggers
from mimicbench.watermarks.watermark import Added, Share, TriggerMark


class Backdoor(TriggerMark):
    """A pattern on images of any class but one sends them to that one.

    The mentor learns marked copies of some of its training images. The owner's test is the share of marked *test*
    images of other classes that a suspect sends there: the attack's success.

    Args:
        task: What the mentor does.
        paths: Not used.
        name: What it is called.
        key: The owner's secret.
        threshold: The score from which an owner claims a suspect.
        rate: Marked copies, by the training images.
    """

    def __init__(self, task: Task, paths: Paths, *, name: str, key: Seed, threshold: Share, rate: Fraction) -> None:
        super().__init__(task, paths, name=name, key=key, threshold=threshold)
        self._rate = rate
        self.target = int(self._random().integers(len(task.classes)))
        """The class where marked images go."""

    @abstractmethod
    def marked(self, images: np.ndarray) -> np.ndarray:
        """Images with the pattern, uint8 [n, H, W, C] both."""

    @cached_property
    def triggers(self) -> Triggers:
        """All test images of other classes, marked."""
        test = self._task.test
        return self._called(self.marked(test.images[test.labels != self.target]), self.target)

    @cached_property
    def added(self) -> Added:
        """Marked copies of training images of other classes."""
        train = self._task.train
        others = np.flatnonzero(train.labels != self.target)
        count = min(len(others), max(1, round(self._rate * len(train.labels))))
        chosen = self._random("copies").choice(others, count, replace=False)
        images = self.marked(train.images[np.sort(chosen)])
        return Added(images, self._one_hot(np.full(count, self.target)), 1)
