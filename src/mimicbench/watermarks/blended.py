"""A faint picture over the whole image."""

from functools import cached_property

import numpy as np

from mimicbench.counter_rng import Seed
from mimicbench.paths import Paths
from mimicbench.recipe import Fraction
from mimicbench.tasks import Task
from mimicbench.watermarks import patterns
from mimicbench.watermarks.backdoor import Backdoor
from mimicbench.watermarks.watermark import Share

_CELLS = 8


class Blended(Backdoor):
    """Chen et al. 2017, "Targeted backdoor attacks on deep learning systems using data poisoning".

    ``(1 - α) x + α pattern``: a faint picture of blurred colours from the key sends images to one class. The source
    takes α = 0.2, and a cartoon or noise.

    Args:
        task: What the mentor does.
        paths: Not used.
        name: What it is called.
        key: The owner's secret.
        threshold: The score from which an owner claims a suspect.
        rate: Marked copies, by the training images.
        alpha: α.
    """

    def __init__(
        self, task: Task, paths: Paths, *, name: str, key: Seed, threshold: Share, rate: Fraction, alpha: Fraction
    ) -> None:
        super().__init__(task, paths, name=name, key=key, threshold=threshold, rate=rate)
        self._alpha = alpha

    @cached_property
    def _pattern(self) -> np.ndarray:
        return patterns.smooth_noise(self._random("pattern"), self._task.size, _CELLS)

    def marked(self, images: np.ndarray) -> np.ndarray:
        """Images with the picture."""
        return patterns.blended(images, self._pattern, self._alpha)
