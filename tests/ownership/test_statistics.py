"""Against simulated scores where the truth is known."""

from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from mimicbench.ownership.statistics import (
    excess,
    key_p_value,
    most_carriers,
    pairing_p_value,
    upper_bound,
)

SIMULATIONS = 1000


def scores(random: np.random.Generator, count: int, transfer: float = 0.0) -> np.ndarray:
    """Trigger accuracies of ``count`` keys on as many students: some students and some keys score high by themselves.

    A network without a mark sends whole trigger sets to one class, so that scores are near 0 or near 1 and rows and
    columns hang together. ``transfer`` is what a student scores on its own mentor's key in addition.
    """
    keys, students = random.beta(0.5, 4, (count, 1)), random.beta(0.5, 4, (1, count))
    whole = random.random((count, count)) < 0.05
    noise = random.normal(0, 0.02, (count, count))
    return np.clip(np.where(whole, 0.9, (keys + students) / 2) + noise + transfer * np.eye(count), 0, 1)


def rejections(p_values: list[float], level: float = 0.05) -> int:
    return sum(p <= level for p in p_values)


def test_excess_written_out() -> None:
    found = scores(np.random.default_rng(0), 6)
    own = [found[i, i] for i in range(6)]
    others = [found[i, j] for i in range(6) for j in range(6) if i != j]
    assert excess(found) == pytest.approx(np.mean(own) - np.mean(others))


@pytest.mark.parametrize("count", [2, 3, 5])
def test_few_keys_are_paired_in_every_way(count: int) -> None:
    found = scores(np.random.default_rng(1), count, 0.1)
    sums = [sum(found[i, j] for i, j in enumerate(one)) for one in permutations(range(count))]
    expected = np.mean([one >= np.trace(found) - 1e-12 for one in sums])
    assert pairing_p_value(found) == pytest.approx(expected)


def test_two_keys_can_never_be_enough() -> None:
    assert pairing_p_value(np.eye(2)) == 0.5
    assert pairing_p_value(np.eye(5)) == pytest.approx(1 / 120)


@pytest.mark.parametrize("count", [5, 20])
def test_false_alarms_come_at_the_nominal_rate(count: int) -> None:
    random = np.random.default_rng(count)
    found = rejections([pairing_p_value(scores(random, count), draws=199) for _ in range(SIMULATIONS)])
    assert stats.binomtest(found, SIMULATIONS, 0.05, alternative="greater").pvalue > 1e-3
    assert found > 20  # it is not merely never rejecting


@pytest.mark.parametrize(("count", "transfer", "power"), [(20, 0.2, 0.9), (20, 0.5, 0.99), (5, 0.8, 0.9)])
def test_marks_that_are_there_are_found(count: int, transfer: float, power: float) -> None:
    random = np.random.default_rng(0)
    found = rejections([pairing_p_value(scores(random, count, transfer), draws=199) for _ in range(200)])
    assert found / 200 >= power


@pytest.mark.parametrize("true", [0.0, 0.05])
def test_the_bound_is_below_the_truth_at_most_at_the_nominal_rate(true: float) -> None:
    random = np.random.default_rng(3)
    below = sum(
        upper_bound(random.normal(0.3, 0.05, (20, 20)) + true * np.eye(20), draws=499).upper < true
        for _ in range(SIMULATIONS)
    )
    assert stats.binomtest(below, SIMULATIONS, 0.05, alternative="greater").pvalue > 1e-3


def test_rare_scores_that_a_bootstrap_cannot_see_are_bounded_by_permutation() -> None:
    random = np.random.default_rng(4)
    bounds = [upper_bound(scores(random, 20) + 0.05 * np.eye(20), draws=499) for _ in range(SIMULATIONS)]
    assert sum(one.bootstrap < 0.05 for one in bounds) / SIMULATIONS > 0.1
    below = sum(one.upper < 0.05 for one in bounds)
    assert stats.binomtest(below, SIMULATIONS, 0.05, alternative="greater").pvalue > 1e-3


def test_the_permutation_bound_is_the_shift_that_the_test_just_admits() -> None:
    found = scores(np.random.default_rng(7), 5, 0.1)
    pairings = list(permutations(range(5)))

    def p_value(shift: float) -> float:
        """Of an excess as low as this, if own students scored ``shift`` more."""
        null = found - shift * np.eye(5)
        sums = [sum(null[i, j] for i, j in enumerate(one)) for one in pairings]
        return float(np.mean([one <= np.trace(null) + 1e-12 for one in sums]))

    bound = upper_bound(found).permutation
    assert p_value(bound - 1e-6) > 0.05
    assert p_value(bound + 1e-6) <= 0.05


def test_random_pairings_give_nearly_the_same_bound_whatever_their_seed() -> None:
    found = scores(np.random.default_rng(8), 20, 0.1)
    one, other = (upper_bound(found, draws=20000, seed=seed).permutation for seed in (0, 1))
    assert one == pytest.approx(other, abs=0.01)


@pytest.mark.parametrize("count", [4, 5])
def test_the_exact_bound_of_few_keys_is_below_the_truth_at_most_at_the_nominal_rate(count: int) -> None:
    random = np.random.default_rng(9)
    below = sum(
        upper_bound(random.normal(0.3, 0.05, (count, count)) + 0.1 * np.eye(count)).permutation < 0.1
        for _ in range(SIMULATIONS)
    )
    assert stats.binomtest(below, SIMULATIONS, 0.05, alternative="greater").pvalue > 1e-3


@pytest.mark.parametrize("count", [2, 3])
def test_two_or_three_keys_bound_nothing(count: int) -> None:
    found = np.random.default_rng(10).random((count, count))
    assert upper_bound(found).upper == 1.0  # 1 of 6 pairings is more than 5 %


def test_one_key_alone_that_is_carried_leaves_the_excess_unbounded() -> None:
    """Of 20 keys drawn again, 36 % of the times the one is not among them: nothing says how rare such keys are."""
    found = np.zeros((20, 20))
    found[3, 3] = 0.45
    assert upper_bound(found).estimate == pytest.approx(0.0225)
    assert upper_bound(found).bootstrap == 1.0


def test_the_bound_is_tight_where_scores_are() -> None:
    random = np.random.default_rng(5)
    found = upper_bound(random.normal(0.1, 0.01, (20, 20)))
    assert abs(found.estimate) < 0.01
    assert found.estimate < found.bootstrap < 0.02
    assert found.estimate < found.permutation < 0.02


def test_scores_that_are_all_alike_have_their_value_as_bound() -> None:
    found = upper_bound(np.zeros((20, 20)))
    assert (found.estimate, found.upper) == (0.0, 0.0)


def test_carriers_are_bounded_as_the_notes_say() -> None:
    assert most_carriers(0, 20) == pytest.approx(0.139, abs=5e-4)
    assert most_carriers(0, 59) == pytest.approx(0.05, abs=5e-4)
    assert most_carriers(20, 20) == 1.0
    for found in (0, 3, 10):
        assert stats.binom.cdf(found, 20, most_carriers(found, 20)) == pytest.approx(0.05)


def test_a_key_among_others_is_rejected_at_the_nominal_rate() -> None:
    random = np.random.default_rng(6)
    p_values = [key_p_value(one[0], one[1:]) for one in np.round(random.beta(0.5, 4, (SIMULATIONS, 40)), 2)]
    found = rejections(p_values)
    assert stats.binomtest(found, SIMULATIONS, 0.05, alternative="greater").pvalue > 1e-3
    assert key_p_value(1.0, np.zeros(99)) == 0.01
