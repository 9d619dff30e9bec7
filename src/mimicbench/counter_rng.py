"""Random numbers that depend on what they are for, not on what was drawn before them."""

from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.random import Philox

Purpose = Literal["composite", "augmentation", "order"]

_PURPOSES: tuple[Purpose, ...] = ("composite", "augmentation", "order")
_WORDS_PER_COUNT = 4  # Philox4x64 yields four 64-bit words for each value of its counter


def generator(purpose: Purpose, seed: int, epoch: int) -> Philox:
    """The stream of ``(seed, epoch)`` for one purpose.

    Counter-based (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): any place in the stream is
    reached without drawing what comes before.
    """
    key = np.array([seed, _PURPOSES.index(purpose) << 32 | epoch], dtype=np.uint64)
    return Philox(key=key)


def uniforms(purpose: Purpose, seed: int, epoch: int, start: int, stop: int, columns: int) -> np.ndarray:
    """Uniform numbers for the samples ``start..stop-1`` of an epoch.

    Row i is a function of (purpose, seed, epoch, start + i) alone.

    Returns:
        float64 [stop - start, columns] in [0, 1), multiples of 2⁻⁵³.
    """
    counts = -(-columns // _WORDS_PER_COUNT)
    stream = generator(purpose, seed, epoch)
    stream.advance(start * counts)
    words = stream.random_raw((stop - start) * counts * _WORDS_PER_COUNT)
    rows = np.asarray(words, dtype=np.uint64).reshape(stop - start, counts * _WORDS_PER_COUNT)
    return (rows[:, :columns] >> np.uint64(11)) * 2.0**-53


def walk(seed: int, count: int, start: int, stop: int) -> np.ndarray:
    """The places ``start..stop-1`` of an endless walk through ``count`` things, in a new random order every round.

    Returns:
        int64 [stop - start], values 0..count-1; each is met once in every round of ``count`` places.
    """
    rounds, within = np.divmod(np.arange(start, stop), count)
    index = np.empty(stop - start, dtype=np.int64)
    for number in np.unique(rounds):
        here = rounds == number
        index[here] = permutation(seed, 1 + int(number), count)[within[here]]
    return index


@lru_cache(maxsize=4)
def permutation(seed: int, epoch: int, count: int) -> np.ndarray:
    """A random order of ``count`` things, int64 [count], for one epoch; read-only, for it is kept."""
    order = np.random.Generator(generator("order", seed, epoch)).permutation(count)
    order.flags.writeable = False
    return order
