from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from mimicbench.attacks import composite as module
from mimicbench.attacks.composite import Composite, Draws, Ratio, _hashes, draw
from mimicbench.counter_rng import uniforms
from mimicbench.errors import QueryBudgetExceeded, UserError
from mimicbench.mentors import Mentor
from mimicbench.networks.vgg import VGG16
from mimicbench.oracles.label import Label
from mimicbench.oracles.softmax import Softmax
from mimicbench.pools import Pool
from tests.standins import (
    SpyMentor,
    attached,
    epoch_of,
    make_composite,
    make_pool,
    make_recipe,
    numbered_pool,
)

PERCENT = {k / 100 for k in range(100)}


def literal_draw(seed: int, epoch: int, i: int, n: int, ratio: Ratio, size: int) -> tuple[list[int], list[Fraction]]:
    """Sample i of Algorithm 1, and of the generalisation to n images in the paper's conclusion."""
    random = iter(uniforms("composite", seed, epoch, i, i + 1, 2 * n - 1)[0].tolist())
    index = [int(Fraction(next(random)) * size) for _ in range(n)]  # math.random(len(dataArr))
    if ratio == "percent":
        cuts = [Fraction(int(Fraction(next(random)) * 100), 100) for _ in range(n - 1)]  # math.random(100)/100
    else:
        cuts = [Fraction(next(random)) for _ in range(n - 1)]
    if n == 2:
        p = cuts[0]
        return index, [p, 1 - p]
    ends = [Fraction(0), *sorted(cuts), Fraction(1)]
    return index, [right - left for left, right in pairwise(ends)]


def algorithm_1(
    mentor: Mentor, pool: Pool, count: int, seed: int, epoch: int, n: int, ratio: Ratio
) -> tuple[np.ndarray, list[int]]:
    """X and Y, one sample after the other, in float64."""
    samples, labels = [], []
    for i in range(count):
        index, weight = literal_draw(seed, epoch, i, n, ratio, len(pool))
        sample = np.zeros(pool.images.shape[1:])
        for j in range(n):
            sample += float(weight[j]) * (pool.images[index[j]].astype(np.float64) / 255)
        channels_first = sample.transpose(2, 0, 1)
        samples.append(channels_first)
        labels.append(int(mentor(torch.tensor(channels_first[None], dtype=torch.float32))[0].argmax()))
    return np.stack(samples), labels


@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize("ratio", ["percent", "uniform"])
def test_samples_and_labels_are_those_of_algorithm_1(n: int, ratio: Ratio, tmp_path: Path) -> None:
    pool, mentor = make_pool(37), SpyMentor()
    made = make_composite(pool, 3, seed=11, samples_per_epoch=150, images=n, ratio=ratio, chunk_size=32)
    attack = attached(made, tmp_path / "replies.npy", Label(mentor, budget=None))
    for epoch in (0, 2):
        images, replies = epoch_of(attack, epoch)
        expected, labels = algorithm_1(mentor, pool, 150, 11, epoch, n, ratio)
        np.testing.assert_allclose(images, expected, atol=1e-6)
        assert replies.argmax(1).tolist() == labels
        assert len(set(labels)) > 2


@given(
    seed=st.integers(0, 2**32 - 1),
    epoch=st.integers(0, 99),
    start=st.integers(0, 10**6),
    n=st.integers(2, 5),
    ratio=st.sampled_from(["percent", "uniform"]),
    size=st.integers(1, 2 * 10**6),
)
def test_draws_are_those_of_the_literal_loop(
    seed: int, epoch: int, start: int, n: int, ratio: Ratio, size: int
) -> None:
    draws = draw(seed, epoch, start, start + 3, size, n, ratio)
    for row in range(3):
        index, weight = literal_draw(seed, epoch, start + row, n, ratio, size)
        assert draws.index[row].tolist() == index
        assert draws.weight[row].tolist() == pytest.approx([float(w) for w in weight], abs=1e-15)


def test_mentor_and_student_see_the_same_images(tmp_path: Path) -> None:
    mentor = SpyMentor()
    attack = attached(make_composite(make_pool(9)), tmp_path / "replies.npy", Softmax(mentor, budget=None))
    images, replies = epoch_of(attack, 0)
    assert torch.equal(mentor.asked, images)
    assert torch.equal(replies, SpyMentor()(images))


def test_percent_draws_p_uniformly_from_its_hundred_values() -> None:
    weight = draw(0, 0, 0, 100_000, 50, 2, "percent").weight
    assert set(weight[:, 0].tolist()) == PERCENT
    np.testing.assert_array_equal(weight[:, 1], 1 - weight[:, 0])
    assert stats.chisquare(np.bincount(np.rint(100 * weight[:, 0]).astype(int), minlength=100)).pvalue > 1e-3


def test_uniform_draws_p_uniformly_from_0_to_1() -> None:
    p = draw(0, 0, 0, 50_000, 50, 2, "uniform").weight[:, 0]
    assert len(np.unique(p)) == 50_000
    assert stats.kstest(p, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("n", [3, 4])
def test_n_ratios_are_uniform_on_the_simplex(n: int) -> None:
    weight = draw(0, 0, 0, 50_000, 50, n, "uniform").weight
    assert weight.min() >= 0
    np.testing.assert_allclose(weight.sum(1), 1, atol=1e-12)
    for share in weight.T:
        assert stats.kstest(share, stats.beta(1, n - 1).cdf).pvalue > 1e-3
    percent = draw(0, 0, 0, 1000, 50, n, "percent").weight
    np.testing.assert_allclose(percent * 100, np.rint(percent * 100), atol=1e-9)


def test_images_are_drawn_uniformly_with_replacement_and_independently() -> None:
    draws = draw(1, 3, 0, 100_000, 20, 2, "percent")
    pairs = np.bincount(draws.index @ [20, 1], minlength=400)  # i1 = i2 included
    assert stats.chisquare(pairs).pvalue > 1e-3
    for column in draws.index.T:
        assert abs(np.corrcoef(column, draws.weight[:, 0])[0, 1]) < 0.02


def test_blending_in_pixel_space_is_blending_after_normalisation(tmp_path: Path) -> None:
    pool = make_pool(9, 32)
    attack = attached(make_composite(pool, images=3), tmp_path / "replies.npy", mentor=SpyMentor(32 * 32 * 3))
    network = VGG16(10, 32, 0.0, width=0.05, batch_norm=False)
    normalised: list[Tensor] = []
    network.features.register_forward_pre_hook(lambda _, given: normalised.append(given[0]))

    blended, _ = epoch_of(attack, 0)
    network(blended)
    network(torch.from_numpy(pool.images).permute(0, 3, 1, 2) / 255)
    after_blending, originals = normalised
    draws = attack.draws(0, 0, 10)
    parts = originals[torch.from_numpy(draws.index)] * torch.from_numpy(draws.weight)[:, :, None, None, None]
    torch.testing.assert_close(after_blending.double(), parts.sum(1), rtol=0, atol=1e-5)


@pytest.mark.parametrize("ratio", ["percent", "uniform"])
def test_the_set_does_not_depend_on_the_chunk_size(ratio: Ratio, tmp_path: Path) -> None:
    pool = make_pool(4096)

    def whole_epoch(chunk_size: int) -> tuple[Tensor, Tensor]:
        settings = {"samples_per_epoch": 4500, "ratio": ratio, "images": 3}
        attack = make_composite(pool, 4, seed=7, chunk_size=chunk_size, **settings)
        return epoch_of(attached(attack, tmp_path / "replies.npy"), 3)

    images, replies = whole_epoch(4096)
    for chunk_size in (1, 7):
        again, replies_again = whole_epoch(chunk_size)
        assert torch.equal(again, images)
        assert torch.equal(replies_again, replies)


@given(start=st.integers(0, 5000), length=st.integers(1, 300), cut=st.integers(0, 300), epoch=st.integers(0, 9))
def test_a_composite_depends_on_seed_epoch_and_index_alone(start: int, length: int, cut: int, epoch: int) -> None:
    whole = draw(3, epoch, 0, start + length, 1000, 2, "percent")
    middle = start + min(cut, length)
    parts = [
        draw(3, epoch, start, middle, 1000, 2, "percent"),
        draw(3, epoch, middle, start + length, 1000, 2, "percent"),
    ]
    np.testing.assert_array_equal(np.concatenate([part.index for part in parts]), whole.index[start:])
    np.testing.assert_array_equal(np.concatenate([part.weight for part in parts]), whole.weight[start:])


def test_another_set_for_every_epoch_and_every_seed(tmp_path: Path) -> None:
    pool, sets = make_pool(500), []
    for seed in (0, 1, 2):
        made = make_composite(pool, 3, seed=seed, samples_per_epoch=300, chunk_size=100)
        attack = attached(made, tmp_path / "replies.npy")
        sets += [{image.numpy().tobytes() for image in epoch_of(attack, epoch)[0]} for epoch in range(3)]
    assert len(set().union(*sets)) == sum(map(len, sets)) == 9 * 300


@given(
    samples=st.integers(1, 40),
    epochs=st.integers(1, 5),
    batch=st.integers(1, 4),
    batches=st.integers(1, 3),
    budget=st.none() | st.integers(1, 250),
)
def test_the_plan_ends_exactly_at_the_budget(
    samples: int, epochs: int, batch: int, batches: int, budget: int | None
) -> None:
    chunk_size, pool = batch * batches, numbered_pool(12)
    settings = {"samples_per_epoch": samples, "chunk_size": chunk_size, "recipe": make_recipe(batch_size=batch)}
    if budget is not None and budget < min(chunk_size, samples):
        with pytest.raises(UserError, match=rf"oracle\.budget={budget} does not cover one chunk"):
            make_composite(pool, epochs, budget, **settings)
        return
    oracle = Label(SpyMentor(3), budget=budget)
    attack = attached(make_composite(pool, epochs, budget, **settings), Path("not-used"), oracle)
    wanted = samples * epochs if budget is None else min(budget, samples * epochs)
    lengths = [len(epoch_of(attack, epoch)[0]) for epoch in range(attack.epochs)]
    assert lengths[:-1] == [samples] * (len(lengths) - 1)
    assert sum(lengths) == oracle.asked == wanted
    assert attack.steps == sum(-(-length // batch) for length in lengths)
    if wanted == budget:
        with pytest.raises(QueryBudgetExceeded):
            attack.chunk(attack.epochs, 0, 1)
        assert oracle.asked == budget


@pytest.mark.parametrize("refresh", ["epoch", "once"])
def test_a_budget_smaller_than_a_chunk_is_refused(refresh: str) -> None:
    with pytest.raises(UserError, match=r"oracle\.budget=7 does not cover one chunk of attack\.chunk_size=8"):
        make_composite(make_pool(9), 1, 7, samples_per_epoch=20, chunk_size=8, refresh=refresh)


def distinct(attack: Composite, asked: dict[int, int], ratio: Ratio) -> int:
    """How many composites differ as images: every image with its whole share, and without those of none."""
    seen = set()
    for epoch, count in asked.items():
        for i in range(count):
            index, weight = literal_draw(attack.seed, epoch, i, attack.n, ratio, len(attack.pool))
            shares: dict[int, Fraction] = {}
            for image, share in zip(index, weight, strict=True):
                shares[image] = shares.get(image, Fraction(0)) + share
            seen.add(frozenset((image, share) for image, share in shares.items() if share))
    return len(seen)


@given(
    size=st.integers(1, 4),
    n=st.integers(2, 3),
    ratio=st.sampled_from(["percent", "uniform"]),
    seed=st.integers(0, 1000),
    samples=st.integers(1, 300),
    stopped=st.integers(1, 300),
    at_a_time=st.sampled_from([(2**24, 2**20), (100, 37)]),  # hashes counted, composites drawn
)
def test_unique_queries_are_those_that_differ_as_images(
    size: int, n: int, ratio: Ratio, seed: int, samples: int, stopped: int, at_a_time: tuple[int, int]
) -> None:
    made = make_composite(numbered_pool(size), 2, seed=seed, samples_per_epoch=samples, images=n, ratio=ratio)
    attack = attached(made, Path("not-used"), mentor=SpyMentor(3))
    assert attack.unique_queries == 0
    asked = {0: samples, 1: min(stopped, samples)}
    for epoch, count in asked.items():
        attack.chunk(epoch, 0, count)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_HASHES", at_a_time[0])
        patch.setattr(module, "_DRAWN", at_a_time[1])
        assert attack.unique_queries == distinct(attack, asked, ratio)


@pytest.mark.parametrize("p", [0.0, 0.5])
def test_unique_queries_tell_half_a_million_composites_apart(p: float) -> None:
    index = np.arange(1_000_000).reshape(-1, 2)
    weight = np.tile([p, 1 - p], (len(index), 1))
    assert len(np.unique(_hashes(Draws(index, weight)))) == len(index)
