"""Whether students carry the marks of their own mentors: pure functions of scores.

The trained network is the unit, not the trigger image: a network without any mark may send a whole trigger set to one
class, so that the number of triggers says little. K keys mark K mentors, each of which is copied by a student of one
recipe; each key is scored on each student. What a key scores on the students of other mentors is the null.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

_EXACT = 7  # keys up to which all pairings are tried: 5,040 of them


def excess(scores: np.ndarray) -> float:
    """How much more a key scores on its own mentor's student than on others: mean(diagonal) - mean(off-diagonal).

    Args:
        scores: float [K, K], of key i on student j; K ≥ 2.
    """
    count = len(scores)
    own = float(np.trace(scores))
    return own / count - (float(scores.sum()) - own) / (count * (count - 1))


def pairing_p_value(scores: np.ndarray, draws: int = 9999, seed: int = 0) -> float:
    """Of the excess, if keys had been given to students at random (one-sided permutation test).

    Exact for up to seven keys; else from random pairings, the true one counted among them, so that it never is 0.

    Args:
        scores: float [K, K], of key i on student j; K ≥ 2.
        draws: Random pairings.
        seed: Of the pairings.
    """
    count = len(scores)
    rows = np.arange(count)
    if count <= _EXACT:
        pairings = _all_pairings(count)
        sums = scores[rows, pairings].sum(1)
        return float((sums >= np.trace(scores) - _tolerance(scores)).mean())
    random = np.random.default_rng(seed)
    pairings = random.permuted(np.tile(rows, (draws, 1)), axis=1)
    sums = scores[rows, pairings].sum(1)
    return float((1 + (sums >= np.trace(scores) - _tolerance(scores)).sum()) / (1 + draws))


@dataclass(frozen=True)
class Bound:
    """What an excess is at most; 1 where nothing can be said.

    Attributes:
        estimate: The excess found.
        bootstrap: Its one-sided upper confidence bound, by a bootstrap over keys.
        permutation: The same, by inverting the permutation test.
        level: The confidence, such as 0.95.
    """

    estimate: float
    bootstrap: float
    permutation: float
    level: float

    @property
    def upper(self) -> float:
        """The larger of both: it holds where either method does."""
        return max(self.bootstrap, self.permutation)


def upper_bound(scores: np.ndarray, level: float = 0.95, draws: int = 9999, seed: int = 0) -> Bound:
    """One-sided upper bounds of the excess that all keys share.

    The bootstrap is over keys, and studentised (Efron and Tibshirani 1993, 12.5): what is drawn again is ``d_i``, the
    score of key i on its own student less the mean of its scores on all others. It is blind to what is rare, such as a
    network that sends a whole trigger set to one class, where none of the K own students happens to show it. The
    permutation test knows it from the K (K - 1) others: its bound is the largest shift s of which "own students score s
    more" is not rejected, a quantile of ``(trace - Σ_i scores[i, π(i)]) / (K - fixed points of π)`` over pairings π, in
    which the true one counts as a shift without limit. Exact for up to seven keys.

    Both are blind to a mark that few students carry, and carry whole: of twenty keys none may happen to be among them.
    What share that may be is bounded by the number of keys alone, see :func:`most_carriers`.

    Args:
        scores: float [K, K], of key i on student j, from 0 to 1; K ≥ 2.
        level: The confidence.
        draws: Samples, and pairings.
        seed: Of both.
    """
    count = len(scores)
    own = np.diagonal(scores).astype(np.float64)
    differences = own - (scores.sum(1) - own) / (count - 1)
    mean = float(differences.mean())
    random = np.random.default_rng(seed)
    bootstrap = mean + _studentised(differences, level, draws, random)
    return Bound(mean, min(1.0, bootstrap), min(1.0, _largest_shift(scores, level, draws, random)), level)


def _largest_shift(scores: np.ndarray, level: float, draws: int, random: np.random.Generator) -> float:
    """Such that "own students score that much more" is not rejected by a permutation test."""
    count = len(scores)
    rows = np.arange(count)
    exact = count <= _EXACT
    pairings = _all_pairings(count) if exact else random.permuted(np.tile(rows, (draws, 1)), axis=1)
    moved = count - (pairings == rows).sum(1)
    shifts = np.full(len(pairings) + (not exact), np.inf)  # of random pairings, the true one is one more
    others = np.flatnonzero(moved)
    shifts[others] = (np.trace(scores) - scores[rows, pairings[others]].sum(1)) / moved[others]
    rejecting = int((1 - level) * len(shifts) + 1e-9)
    return float(np.sort(shifts)[-1 - rejecting])


def _studentised(values: np.ndarray, level: float, draws: int, random: np.random.Generator) -> float:
    """How far the mean of what some values are drawn from may lie above theirs."""
    count = len(values)
    error = values.std(ddof=1) / np.sqrt(count)
    if error <= _tolerance(values):
        return 0.0
    drawn = values[random.integers(0, count, (draws, count))]
    errors = drawn.std(axis=1, ddof=1) / np.sqrt(count)
    errors[errors <= _tolerance(values)] = 0  # a sample without the rare value that differs is infinitely far off
    away = drawn.mean(1) - values.mean()
    pivots = np.divide(away, errors, out=np.copysign(np.inf, away), where=errors > 0)
    return float(-np.quantile(pivots, 1 - level, method="lower") * error)


def most_carriers(found: int, count: int, level: float = 0.95) -> float:
    """The largest share of carriers that is compatible with ``found`` among ``count`` students (Clopper and Pearson).

    None of 20 bounds the share at 13.9 %, none of 59 at 5 %.
    """
    return 1.0 if found >= count else float(stats.beta.ppf(level, found + 1, count - found))


def key_p_value(score: float, others: np.ndarray) -> float:
    """The rank of a key's score among what keys of the same scheme score on networks without a mark (one-sided).

    Exact where key and network were drawn as these were.

    Args:
        score: Of the owner's key.
        others: float [N], of keys drawn at random.
    """
    return float((1 + (others >= score).sum()) / (1 + len(others)))


def _tolerance(scores: np.ndarray) -> float:
    """What rounding can make of sums that are equal."""
    return 1e-9 * max(1.0, float(np.abs(scores).max()))


def _all_pairings(count: int) -> np.ndarray:
    pairings = np.zeros((1, 1), dtype=np.int64)
    for last in range(1, count):
        inserted = [np.insert(pairings, place, last, axis=1) for place in range(last + 1)]
        pairings = np.concatenate(inserted)
    return pairings
