"""Composite mimicking: a new set of blended images every epoch."""

from functools import cached_property
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, PositiveInt
from torch import Tensor

from mimicbench.attacks.attack import Attack, Use
from mimicbench.attacks.draws import Draws
from mimicbench.augmentation import Augmentation
from mimicbench.counter_rng import uniforms, walk
from mimicbench.hardware import to_device
from mimicbench.learner import Samples
from mimicbench.pools import Pool
from mimicbench.recipe import Recipe

Ratio = Literal["percent", "uniform"]

_PARTS = 100 * 3**15  # of a weight of 1: whole numbers for percent, and few factors of 2, which cost a hash high bits

_HASHES, _DRAWN = 2**24, 2**20  # counted, and drawn again, at a time


def draw(seed: int, epoch: int, start: int, stop: int, pool_size: int, images: int, ratio: Ratio) -> Draws:
    """The random draws of Algorithm 1 for the composites ``start..stop-1`` of an epoch.

    Indices are uniform with replacement, so that i1 = i2 may happen. With two images, the ratio p is uniform on
    {0.00, 0.01, …, 0.99} (``percent``; the paper's ``random(100)/100``) or on [0, 1) (``uniform``), and the weights
    are p and 1 - p. With n images (the paper's conclusion), n - 1 such numbers cut the unit interval into n parts,
    whose lengths are the weights.

    Args:
        seed: The run's seed.
        epoch: The epoch's number.
        start: First composite.
        stop: One past the last composite.
        pool_size: Images in the pool.
        images: n, images in a composite, at least 2.
        ratio: The law of the ratios.

    Returns:
        A function of (seed, epoch, number of the composite) in each row.
    """
    numbers = uniforms("composite", seed, epoch, start, stop, 2 * images - 1)
    index = (numbers[:, :images] * pool_size).astype(np.int64)
    cuts = numbers[:, images:]
    if ratio == "percent":
        cuts = np.floor(cuts * 100) / 100
    weight = np.diff(np.sort(cuts, axis=1), prepend=0.0, append=1.0, axis=1)
    return Draws(index, weight)


class Composite(Attack):
    """Algorithm 1: ask the mentor about random blends of random pool images, new ones every epoch.

    Args:
        pool: The attacker's images.
        seed: Decides every draw.
        epochs: Epochs of the run.
        budget: The oracle's budget; None for no limit. A run that asks anew in every epoch ends with it.
        samples_per_epoch: N, composites in an epoch.
        images: n, pool images in a composite (paper, section 5).
        ratio: The law of the ratios: ``percent`` or ``uniform``; see :func:`draw`.
        refresh: ``epoch`` asks a new set in every epoch; ``once`` asks one set of N, or of what the budget covers, and
            trains on it in a new order every round.
        chunk_size: Images in one call of the oracle and in one Lightning batch; a multiple of the batch size.
        use: What the student learns from: the whole ``reply``, or the ``label`` that it names alone.
        augment: How composites are changed before the student sees them, if at all; the oracle sees them unchanged.
        recipe: How the student is trained; Table 2.
    """

    def __init__(
        self,
        pool: Pool,
        seed: int,
        epochs: int,
        budget: int | None,
        *,
        samples_per_epoch: PositiveInt,
        images: Annotated[int, Field(ge=2)],
        ratio: Ratio,
        refresh: Literal["epoch", "once"],
        chunk_size: PositiveInt,
        use: Use,
        augment: Augmentation | None,
        recipe: Recipe,
    ) -> None:
        wanted = samples_per_epoch * (epochs if refresh == "epoch" else 1)
        self._to_ask = wanted if budget is None else min(budget, wanted)
        if refresh == "epoch":
            epochs = -(-self._to_ask // samples_per_epoch)
        super().__init__(pool, seed, epochs, budget, samples_per_epoch, chunk_size, recipe, use)
        self.n = images
        self.ratio = ratio
        self.refresh = refresh
        self.augment = augment

    def samples(self, epoch: int) -> int:
        """N, or what the budget leaves of it."""
        if self.refresh == "once":
            return self.samples_per_epoch
        return min(self.samples_per_epoch, self._to_ask - epoch * self.samples_per_epoch)

    def draws(self, epoch: int, start: int, stop: int) -> Draws:
        """The composites ``start..stop-1`` of the set of an epoch."""
        return draw(self.seed, epoch, start, stop, len(self.pool), self.n, self.ratio)

    def examples(self, count: int) -> Draws:
        """The first composites of the first set."""
        return self.draws(0, 0, min(count, self.samples(0)))

    def chunk(self, epoch: int, start: int, stop: int) -> Samples:
        """Composites, augmented if so configured, with the replies to the unchanged ones."""
        places = self.places(start, stop)
        if self.refresh == "epoch":
            images = self._blend(self.draws(epoch, start, stop)[places - start])
            replies = self.oracle.ask(images, together=stop - start)
        else:
            index = walk(self.seed, self._to_ask, epoch * self.samples_per_epoch + places)
            images = self._blend(self._set[index])
            replies = self.asked_once(lambda places: self._blend(self._set[places]), self._to_ask)[index]
        if self.augment is not None:
            images = self.augment(images, self.seed, epoch, places)
        return images, self.targets(replies)

    @property
    def unique_queries(self) -> int:
        """How many of the composites asked so far differ.

        Two composites are the same if they have the same images in the same proportions: in either order, and
        whatever is drawn with weight 0. Counted exactly, but for collisions of 64-bit hashes; in parts of some ten
        million hashes, so that a hundred million need no gigabytes.
        """
        parts = 1 + self.oracle.asked // _HASHES
        return sum(self._unique_hashes(part, parts) for part in range(parts))

    def _unique_hashes(self, part: int, parts: int) -> int:
        kept = [np.empty(0, dtype=np.uint64)]
        size = self.samples_per_epoch if self.refresh == "epoch" else max(self.oracle.asked, 1)
        for epoch, before in enumerate(range(0, self.oracle.asked, size)):  # queries are sent in order
            stop = min(size, self.oracle.asked - before)
            for start in range(0, stop, _DRAWN):
                hashes = _hashes(self.draws(epoch, start, min(start + _DRAWN, stop)))
                kept.append(hashes[hashes % np.uint64(parts) == part])
        return len(np.unique(np.concatenate(kept)))

    def _blend(self, draws: Draws) -> Tensor:
        device = self.images.device
        return self.images.blend(to_device(draws.index, device), to_device(draws.weight.astype(np.float32), device))

    @cached_property
    def _set(self) -> Draws:
        return self.draws(0, 0, self._to_ask)


def _hashes(draws: Draws) -> np.ndarray:
    """uint64 [B]: sums of weight × hash(image), which no order and no image of weight 0 changes."""
    parts = np.diff(np.rint(draws.weight.cumsum(axis=1) * _PARTS), prepend=0, axis=1).astype(np.uint64)
    image = draws.index.astype(np.uint64) + np.uint64(1)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 0x9E3779B97F4A7C15)):
        image = (image ^ (image >> np.uint64(shift))) * np.uint64(factor)  # the mixing steps of SplitMix64
    total: np.ndarray = (parts * image).sum(axis=1, dtype=np.uint64)
    return total
