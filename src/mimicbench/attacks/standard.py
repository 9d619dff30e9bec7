"""Standard mimicking: each pool image is asked once, and keeps its label."""

import numpy as np
from pydantic import PositiveInt
from torch import Tensor

from mimicbench.attacks.attack import Attack, Use
from mimicbench.attacks.draws import Draws
from mimicbench.augmentation import Augmentation
from mimicbench.counter_rng import permutation, walk
from mimicbench.hardware import to_device
from mimicbench.learner import Samples
from mimicbench.pools import Pool
from mimicbench.recipe import Recipe


class Standard(Attack):
    """Ask the mentor about each pool image once; train on the images, augmented, and the replies (paper, section 4.1).

    Training walks through the pool in a random order, then in another one, and so on, whatever the length of an
    epoch. Where the training or the budget does not reach the whole pool, a random part of it is used.

    Args:
        pool: The attacker's images.
        seed: Decides orders and augmentation.
        epochs: Epochs of the run.
        budget: The oracle's budget; None for no limit.
        samples_per_epoch: Training samples in an epoch; None for the pool once.
        chunk_size: Images in one call of the oracle and in one Lightning batch; a multiple of the batch size.
        use: What the student learns from: the whole ``reply``, or the ``label`` that it names alone.
        augment: How images are changed before the student sees them, if at all; the oracle sees them unchanged.
        recipe: How the student is trained; Table 3.
    """

    def __init__(
        self,
        pool: Pool,
        seed: int,
        epochs: int,
        budget: int | None,
        *,
        samples_per_epoch: PositiveInt | None,
        chunk_size: PositiveInt,
        use: Use,
        augment: Augmentation | None,
        recipe: Recipe,
    ) -> None:
        super().__init__(pool, seed, epochs, budget, samples_per_epoch or len(pool), chunk_size, recipe, use)
        self.augment = augment
        used = min(len(pool), epochs * self.samples_per_epoch, len(pool) if budget is None else budget)
        self._used = np.sort(permutation(seed, 0, len(pool))[:used])

    @property
    def unique_queries(self) -> int:
        """All of them: each used image of the pool is asked once, and they are taken to differ."""
        return self.oracle.asked

    def examples(self, count: int) -> Draws:
        """The first images of the walk, each whole."""
        index = self._used[walk(self.seed, len(self._used), np.arange(min(count, self.samples(0))))]
        return Draws(index[:, None], np.ones((len(index), 1)))

    def chunk(self, epoch: int, start: int, stop: int) -> Samples:
        """Pool images, augmented, with the replies to the unchanged ones."""
        places = self.places(start, stop)
        index = walk(self.seed, len(self._used), epoch * self.samples_per_epoch + places)
        images = self._unchanged(index)
        if self.augment is not None:
            images = self.augment(images, self.seed, epoch, places)
        return images, self.targets(self.asked_once(self._unchanged, len(self._used))[index])

    def _unchanged(self, places: np.ndarray) -> Tensor:
        """The pool images at some places of the list of used ones."""
        return self.images.take(to_device(self._used[places], self.images.device))
