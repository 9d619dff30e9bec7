import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mimicbench.counter_rng import generator, permutation, seed_for, uniforms

_MASK = 2**64 - 1


def philox(counter: int, key: tuple[int, int]) -> list[int]:
    """Philox4x64-10, as Salmon et al. 2011 write it down."""
    words = [counter >> 64 * i & _MASK for i in range(4)]
    k0, k1 = key
    for _ in range(10):
        first, second = 0xD2E7470EE14C6C93 * words[0], 0xCA5A826395121157 * words[2]
        words = [second >> 64 ^ words[1] ^ k0, second & _MASK, first >> 64 ^ words[3] ^ k1, first & _MASK]
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) & _MASK, (k1 + 0xBB67AE8584CAA73B) & _MASK
    return words


@given(
    seed=st.integers(0, 2**32 - 1),
    epoch=st.integers(0, 1000),
    place=st.integers(0, 10**12),
    columns=st.integers(1, 9),
)
def test_rows_are_philox_at_a_counter_of_their_own(seed: int, epoch: int, place: int, columns: int) -> None:
    counts = -(-columns // 4)
    words = [word for j in range(counts) for word in philox(place * counts + j + 1, (seed, epoch))]
    expected = [(word >> 11) / 2**53 for word in words[:columns]]
    assert uniforms("composite", seed, epoch, place, place + 1, columns)[0].tolist() == expected


@given(start=st.integers(0, 1000), cut=st.integers(0, 50), length=st.integers(0, 50), columns=st.integers(1, 9))
def test_a_row_does_not_depend_on_where_its_request_starts(start: int, cut: int, length: int, columns: int) -> None:
    whole = uniforms("augmentation", 3, 1, start, start + cut + length, columns)
    parts = [
        uniforms("augmentation", 3, 1, start, start + cut, columns),
        uniforms("augmentation", 3, 1, start + cut, start + cut + length, columns),
    ]
    np.testing.assert_array_equal(whole, np.concatenate(parts))


def test_streams_of_other_purposes_seeds_and_epochs_differ() -> None:
    streams = [
        generator(purpose, seed, epoch).random_raw()
        for purpose in ("composite", "augmentation", "order")
        for seed in range(20)
        for epoch in range(20)
    ]
    assert len(set(streams)) == len(streams)


def test_uniform_and_independent() -> None:
    numbers = uniforms("composite", 0, 0, 0, 20_000, 3)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    for column in numbers.T:
        assert stats.kstest(column, "uniform").pvalue > 1e-3
    off_diagonal = np.corrcoef(np.hstack([numbers[:-1], numbers[1:]]).T) - np.eye(6)
    assert np.abs(off_diagonal).max() < 0.03


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_permutation_is_one_and_another_for_every_epoch_and_seed(count: int) -> None:
    orders = [permutation(seed, epoch, count) for seed in range(3) for epoch in range(3)]
    for order in orders:
        assert order.dtype == np.int64
        np.testing.assert_array_equal(np.sort(order), np.arange(count))
    if count > 1:
        assert len({order.tobytes() for order in orders}) == 9
        np.testing.assert_array_equal(permutation(2, 2, count), orders[-1])


def test_seeds_for_different_purposes_differ() -> None:
    seeds = {
        seed_for(purpose, seed) for purpose in ("student", "oracle.proxy 0", "oracle.network 1") for seed in range(9)
    }
    assert len(seeds) == 27
    assert seeds.isdisjoint(range(9))  # those of mentors
    assert all(0 <= seed < 2**32 for seed in seeds)
