"""Composites of which one set is asked, and learned in every round."""

from pathlib import Path

import numpy as np
import torch

from mimicbench.attacks.composite import Composite
from mimicbench.augmentation import Augmentation
from mimicbench.oracles.softmax import Softmax
from tests.standins import SpyMentor, attached, epoch_of, make_composite, make_pool


def make_attack(folder: Path, budget: int | None = None, **changes: object) -> tuple[Composite, SpyMentor]:
    mentor = SpyMentor()
    settings = {"samples_per_epoch": 50, "refresh": "once", "chunk_size": 8, "seed": 3}
    attack = make_composite(make_pool(30), 4, budget, **{**settings, **changes})
    return attached(attack, folder / "replies.npy", Softmax(mentor, budget=budget)), mentor


def test_one_set_of_n_is_asked_and_serves_all_epochs(tmp_path: Path) -> None:
    attack, mentor = make_attack(tmp_path)
    epochs = [epoch_of(attack, epoch) for epoch in range(4)]
    assert attack.oracle.asked == len(mentor.asked) == 50
    assert attack.steps == 4 * 50
    assert attack.unique_queries == 50
    orders = [[image.numpy().tobytes() for image in images] for images, _ in epochs]
    assert sorted(orders[0]) == sorted(orders[1]) == sorted(orders[2]) == sorted(orders[3])
    assert len(set(map(tuple, orders))) == 4
    for images, replies in epochs:
        torch.testing.assert_close(replies, SpyMentor()(images), rtol=0, atol=1e-6)


def test_the_set_is_that_of_the_first_epoch_of_a_run_that_refreshes(tmp_path: Path) -> None:
    once, mentor = make_attack(tmp_path)
    epoch_of(once, 0)
    always, _ = make_attack(tmp_path / "other", refresh="epoch")
    assert torch.equal(mentor.asked, epoch_of(always, 0)[0])


def test_the_oracle_sees_composites_unaugmented_and_the_student_augmented(tmp_path: Path) -> None:
    attack, mentor = make_attack(tmp_path, augment=Augmentation(shift=1, rotate=15, flip=True))
    plain, plain_mentor = make_attack(tmp_path / "plain")
    (images, replies), (plain_images, plain_replies) = epoch_of(attack, 1), epoch_of(plain, 1)
    assert torch.equal(mentor.asked, plain_mentor.asked)
    assert torch.equal(replies, plain_replies)
    augment = Augmentation(shift=1, rotate=15, flip=True)
    torch.testing.assert_close(images, augment(plain_images, 3, 1, np.arange(len(plain_images))), rtol=0, atol=1e-6)


def test_a_budget_smaller_than_n_makes_the_set_smaller(tmp_path: Path) -> None:
    attack, mentor = make_attack(tmp_path, budget=21)
    walk = torch.cat([epoch_of(attack, epoch)[0] for epoch in range(4)]).flatten(1)
    assert attack.oracle.asked == len(mentor.asked) == 21
    assert attack.steps == len(walk) == 4 * 50  # as many as without a budget
    asked = {image.numpy().tobytes() for image in mentor.asked.flatten(1)}
    for start in range(0, len(walk), 21):
        met = [image.numpy().tobytes() for image in walk[start : start + 21]]
        assert set(met) <= asked
        assert len(set(met)) == len(met)


def test_no_chunk_is_larger_than_chunk_size(tmp_path: Path) -> None:
    attack, mentor = make_attack(tmp_path)
    epoch_of(attack, 0)
    assert [len(images) for images in mentor.seen] == [8] * 6 + [2]
