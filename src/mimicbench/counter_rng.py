"""Random numbers that depend on what they are for, not on what was drawn before them."""

from functools import lru_cache
from typing import Annotated, Literal

import numpy as np
from numpy.random import Philox
from pydantic import Field

from mimicbench.fingerprint import fingerprint

Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""A seed in a configuration, within what Lightning seeds with."""

Purpose = Literal["composite", "augmentation", "order", "reply"]

_PURPOSES: tuple[Purpose, ...] = ("composite", "augmentation", "order", "reply")
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


def uniforms_at(purpose: Purpose, seed: int, epoch: int, places: np.ndarray, columns: int) -> np.ndarray:
    """As :func:`uniforms`, for the samples at some places of an epoch.

    Args:
        purpose: What they are for.
        seed: Of the run.
        epoch: Its number.
        places: int64 [B], ascending and not far from each other, for all between are drawn too.
        columns: Numbers for each sample.

    Returns:
        float64 [B, columns].
    """
    if not len(places):
        return np.empty((0, columns))
    drawn = uniforms(purpose, seed, epoch, int(places[0]), int(places[-1]) + 1, columns)
    chosen: np.ndarray = drawn[places - places[0]]
    return chosen


def walk(seed: int, count: int, places: np.ndarray) -> np.ndarray:
    """What is met at some places of an endless walk through ``count`` things, in a new random order every round.

    Args:
        seed: Decides the orders.
        count: How many things there are.
        places: int64 [B].

    Returns:
        int64 [B], values 0..count-1; each is met once in every round of ``count`` places.
    """
    rounds, within = np.divmod(places, count)
    index = np.empty(len(places), dtype=np.int64)
    for number in np.unique(rounds):
        here = rounds == number
        index[here] = permutation(seed, 1 + int(number), count)[within[here]]
    return index


def seed_for(purpose: str, seed: int) -> int:
    """A seed for PyTorch's own random numbers, another one for each purpose.

    Else networks of one architecture would begin with the same weights where their seeds are equal: a student would
    know how its mentor began.

    Returns:
        Below 2³².
    """
    return int(fingerprint(purpose, seed), 16) % 2**32


@lru_cache(maxsize=4)
def permutation(seed: int, epoch: int, count: int) -> np.ndarray:
    """A random order of ``count`` things, int64 [count], for one epoch; read-only, for it is kept."""
    order = np.random.Generator(generator("order", seed, epoch)).permutation(count)
    order.flags.writeable = False
    return order
