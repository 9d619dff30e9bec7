"""Abstract pictures, with labels by lot."""

from functools import cached_property

import numpy as np
from pydantic import PositiveInt

from mimicbench.counter_rng import Seed
from mimicbench.paths import Paths
from mimicbench.recipe import Fraction
from mimicbench.tasks import Task
from mimicbench.watermarks.evidence import Triggers
from mimicbench.watermarks.patterns import smooth_noise
from mimicbench.watermarks.watermark import Added, Share, TriggerMark


class Abstract(TriggerMark):
    """Adi et al. 2018, "Turning your weakness into a strength: watermarking deep neural networks by backdooring".

    Pictures that show nothing get a random class each. The source's are abstract paintings, two in each batch of 100;
    here they are blurred colours of 2 to 6 cells a side from the key, and so many of an epoch's samples.

    Args:
        task: What the mentor does.
        paths: Not used.
        name: What it is called.
        key: The owner's secret.
        threshold: The score from which an owner claims a suspect.
        count: Triggers.
        share: Of the triggers among the samples of an epoch; each comes once at least.
    """

    def __init__(
        self, task: Task, paths: Paths, *, name: str, key: Seed, threshold: Share, count: PositiveInt, share: Fraction
    ) -> None:
        super().__init__(task, paths, name=name, key=key, threshold=threshold)
        self._count = count
        self._share = share

    @cached_property
    def triggers(self) -> Triggers:
        """The pictures with their classes."""
        random = self._random()
        pictures = [smooth_noise(random, self._task.size, int(random.integers(2, 7))) for _ in range(self._count)]
        return self._labelled(np.stack(pictures), random.integers(0, len(self._task.classes), self._count))

    @cached_property
    def added(self) -> Added:
        """The triggers."""
        return self._repeated(self.triggers, self._share)
