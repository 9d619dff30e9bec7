from dataclasses import replace
from typing import Any

import pytest

from mimicbench.augmentation import Augmentation
from mimicbench.mentors.course import Course
from tests.standins import CPU, make_recipe, make_task

COURSE = Course({"_target_": "a network"}, 3, 4, None, make_recipe(batch_size=8), None, 5.0)


@pytest.mark.parametrize(
    "change",
    [
        {"network": {"_target_": "another"}},
        {"seed": 4},
        {"max_epochs": 5},
        {"samples_per_epoch": 7},
        {"recipe": make_recipe(batch_size=9)},
        {"augment": Augmentation(shift=1, rotate=0, flip=False)},
    ],
    ids=str,
)
def test_whatever_decides_what_is_learned_is_in_its_shape(change: dict[str, Any]) -> None:
    assert replace(COURSE, **change).shape != COURSE.shape


def test_how_often_it_is_saved_is_not() -> None:
    assert replace(COURSE, checkpoint_minutes=1.0).shape == COURSE.shape


def test_an_epochs_last_step_may_be_on_fewer_samples() -> None:
    assert [COURSE.steps(samples) for samples in (1, 8, 9, 24)] == [4, 4, 8, 12]


def test_chunks_are_of_the_samples_that_are_configured() -> None:
    assert COURSE.chunks(make_task(10), CPU).samples == 30
    assert replace(COURSE, samples_per_epoch=7).chunks(make_task(10), CPU).samples == 7
