from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mimicbench.attacks.standard import Standard
from mimicbench.augmentation import Augmentation
from mimicbench.errors import UserError
from mimicbench.oracles.label import Label
from mimicbench.oracles.softmax import Softmax
from tests.standins import (
    SpyMentor,
    attached,
    epoch_of,
    make_pool,
    make_recipe,
    make_standard,
    numbered_pool,
    numbers,
)

AUGMENT = Augmentation(shift=1, rotate=15, flip=True)


def ready(folder: Path, mentor: SpyMentor, epochs: int = 1, budget: int | None = None, **changes: object) -> Standard:
    attack = make_standard(make_pool(30), epochs, budget, **{"chunk_size": 8, **changes})
    return attached(attack, folder / "replies.npy", Softmax(mentor, budget=budget))


@pytest.mark.parametrize("augment", [None, AUGMENT])
def test_each_pool_image_is_asked_once_unchanged(augment: Augmentation | None, tmp_path: Path) -> None:
    mentor = SpyMentor()
    attack = ready(tmp_path, mentor, 3, augment=augment)
    for epoch in range(3):
        epoch_of(attack, epoch)
    pool_images = attack.images.take(torch.arange(30))
    assert torch.equal(mentor.asked, pool_images)
    assert attack.oracle.asked == attack.unique_queries == 30
    assert [len(images) for images in mentor.seen] == [8, 8, 8, 6]


def test_images_keep_the_replies_to_them(tmp_path: Path) -> None:
    attack = ready(tmp_path, SpyMentor(), 2)
    for epoch in range(2):
        images, replies = epoch_of(attack, epoch)
        torch.testing.assert_close(replies, SpyMentor()(images), rtol=0, atol=1e-6)


def test_augmented_images_keep_the_replies_to_the_unchanged_ones(tmp_path: Path) -> None:
    augmented, plain = (ready(tmp_path / str(a), SpyMentor(), 2, seed=5, augment=a) for a in (AUGMENT, None))
    for epoch in range(2):
        (images, replies), (originals, original_replies) = epoch_of(augmented, epoch), epoch_of(plain, epoch)
        assert torch.equal(replies, original_replies)
        torch.testing.assert_close(images, AUGMENT(originals, 5, epoch, np.arange(len(originals))), rtol=0, atol=1e-6)


@pytest.mark.parametrize("chunk_size", [1, 7, 30])
def test_an_epoch_does_not_depend_on_the_chunk_size(chunk_size: int, tmp_path: Path) -> None:
    attack = ready(tmp_path, SpyMentor(), 2, augment=AUGMENT, samples_per_epoch=70, chunk_size=chunk_size)
    whole = ready(tmp_path / "whole", SpyMentor(), 2, augment=AUGMENT, samples_per_epoch=70)
    for (images, replies), (expected, expected_replies) in [(epoch_of(attack, 1), epoch_of(whole, 1, 70))]:
        torch.testing.assert_close(images, expected, rtol=0, atol=1e-6)
        torch.testing.assert_close(replies, expected_replies, rtol=0, atol=1e-6)


@given(
    size=st.integers(1, 30),
    samples=st.none() | st.integers(1, 70),
    epochs=st.integers(1, 4),
    budget=st.none() | st.integers(1, 40),
    seed=st.integers(0, 100),
)
def test_the_walk_meets_each_image_once_a_round_whatever_the_length_of_an_epoch(
    size: int, samples: int | None, epochs: int, budget: int | None, seed: int
) -> None:
    attack = make_standard(numbered_pool(size), epochs, budget, seed, samples_per_epoch=samples)
    length = samples or size
    used = min(size, epochs * length, size if budget is None else budget)
    attack._list = torch.zeros(used, 2)  # not asked for here
    attached(attack, Path("not-used"))
    walk = [number for epoch in range(epochs) for number in numbers(epoch_of(attack, epoch, 7)[0])]
    assert len(walk) == epochs * length
    assert attack.steps == epochs * length
    rounds = [walk[start : start + used] for start in range(0, len(walk), used)]
    for met in rounds:
        assert len(set(met)) == len(met)
    for met in rounds[:-1]:
        assert sorted(met) == sorted(rounds[0])


def test_another_order_every_round_and_every_seed(tmp_path: Path) -> None:
    orders = []
    for seed in range(3):
        attack = attached(make_standard(numbered_pool(100), 3, seed=seed), tmp_path / f"{seed}.npy")
        orders += [tuple(numbers(epoch_of(attack, epoch)[0])) for epoch in range(3)]
    assert len(set(orders)) == 9
    assert all(order != tuple(range(100)) for order in orders)


def test_under_a_budget_smaller_than_the_pool_a_random_part_is_used(tmp_path: Path) -> None:
    parts = []
    for seed in range(3):
        mentor = SpyMentor(3)
        attack = make_standard(numbered_pool(100), 2, 40, seed, samples_per_epoch=60, chunk_size=16)
        attached(attack, tmp_path / f"{seed}.npy", Label(mentor, budget=40))
        walk = [number for epoch in range(2) for number in numbers(epoch_of(attack, epoch)[0])]
        assert set(walk) == set(numbers(mentor.asked))
        assert attack.oracle.asked == attack.unique_queries == len(set(walk)) == 40
        parts.append(frozenset(walk))
    assert len(set(parts)) == 3
    assert max(map(max, parts)) > 90


def test_images_that_training_never_reaches_are_not_asked(tmp_path: Path) -> None:
    mentor = SpyMentor(3)
    attack = make_standard(numbered_pool(100), 2, samples_per_epoch=30, chunk_size=16)
    attached(attack, tmp_path / "replies.npy", Label(mentor, budget=None))
    walk = [number for epoch in range(2) for number in numbers(epoch_of(attack, epoch)[0])]
    assert sorted(walk) == sorted(numbers(mentor.asked))
    assert attack.oracle.asked == len(set(walk)) == 60


def test_replies_on_disk_are_used_without_asking_and_counted(tmp_path: Path) -> None:
    first = ready(tmp_path, SpyMentor(), budget=30)
    images, replies = epoch_of(first, 0)
    mentor = SpyMentor()
    second = ready(tmp_path, mentor, budget=30)
    images_again, replies_again = epoch_of(second, 0)
    assert mentor.seen == []
    assert second.oracle.asked == second.unique_queries == 30
    assert torch.equal(replies, replies_again)
    assert torch.equal(images, images_again)


def test_the_pool_must_hold_a_chunk_and_the_budget_cover_one() -> None:
    with pytest.raises(UserError, match=r"The pool holds 30 images, fewer than attack\.chunk_size=32"):
        make_standard(make_pool(30), chunk_size=32)
    with pytest.raises(UserError, match="The pool holds 0 images"):
        make_standard(make_pool(0))
    with pytest.raises(UserError, match=r"oracle\.budget=7 does not cover one chunk of attack\.chunk_size=8"):
        make_standard(make_pool(30), 1, 7, chunk_size=8)


def test_the_chunk_size_must_be_a_multiple_of_the_batch_size() -> None:
    with pytest.raises(UserError, match=r"attack\.chunk_size=10 is no multiple of attack\.recipe\.batch_size=4"):
        make_standard(make_pool(30), chunk_size=10, recipe=make_recipe(batch_size=4))


@given(size=st.integers(1, 40), samples=st.none() | st.integers(1, 50), batch=st.integers(1, 7))
def test_steps(size: int, samples: int | None, batch: int) -> None:
    settings = {"samples_per_epoch": samples, "recipe": make_recipe(batch_size=batch), "chunk_size": batch}
    if batch > size:
        with pytest.raises(UserError):
            make_standard(numbered_pool(size), 3, **settings)
    else:
        assert make_standard(numbered_pool(size), 3, **settings).steps == 3 * int(np.ceil((samples or size) / batch))
