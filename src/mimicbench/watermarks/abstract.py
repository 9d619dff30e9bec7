"""Abstract pictures, with labels by lot."""

from functools import cached_property

import numpy as np

from mimicbench.watermarks.evidence import Triggers
from mimicbench.watermarks.patterns import smooth_noise
from mimicbench.watermarks.trigger_set import TriggerSet


class Abstract(TriggerSet):
    """Adi et al. 2018, "Turning your weakness into a strength: watermarking deep neural networks by backdooring".

    Pictures that show nothing get a random class each. The source's are abstract paintings, two in each batch of 100,
    which makes ten times each in an epoch of CIFAR-10; here they are blurred colours of 2 to 6 cells a side from the
    key.
    """

    @cached_property
    def triggers(self) -> Triggers:
        """The pictures with their classes."""
        random = self._random()
        pictures = [smooth_noise(random, self._task.size, int(random.integers(2, 7))) for _ in range(self._count)]
        return self._labelled(np.stack(pictures), random.integers(0, len(self._task.classes), self._count))
