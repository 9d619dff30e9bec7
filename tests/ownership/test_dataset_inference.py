from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from mimicbench.mentors import Mentor
from mimicbench.ownership.dataset_inference import combined_p_value, dataset_inference, steps_to_the_border
from mimicbench.tasks.task import LabelledImages, Task
from tests.making import pictures
from tests.standins import CPU, SpyMentor


def test_steps_end_at_a_border_and_are_those_of_a_literal_bisection() -> None:
    mentor = SpyMentor()
    images = pictures(12, size=4, seed=1)
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2) / 255
    labels = mentor(pixels).argmax(1)
    labels[3] = (labels[3] + 1) % 5  # wrong from the beginning
    found = steps_to_the_border(mentor, LabelledImages(images, labels.numpy()), seed=7)
    assert found.shape == (12, 30)
    assert (found[3] == 0).all()
    again = torch.Generator().manual_seed(7)
    for column in range(10):  # the uniform directions, drawn as they come
        direction = 0.005 * (2 * torch.rand(12, 3, 4, 4, generator=again) - 1)
        for image in set(range(12)) - {3}:

            def says_its_class(step: int, image: int = image, direction: Tensor = direction) -> bool:
                moved = (pixels[image] + step * direction[image]).clamp(0, 1)
                return int(mentor(moved[None]).argmax()) == int(labels[image])

            low, high = 0, 50
            while not says_its_class(50) and high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if says_its_class(middle) else (low, middle)
            assert found[image, column] == high
            assert says_its_class(high) if high == 50 and low == 0 else says_its_class(high - 1)
    assert len(np.unique(found)) > 5


def test_directions_are_of_three_kinds_and_the_seeds_own() -> None:
    mentor, points = SpyMentor(), LabelledImages(pictures(6, size=4), np.zeros(6, np.int64))
    points = LabelledImages(
        points.images, mentor(torch.from_numpy(points.images).permute(0, 3, 1, 2) / 255).argmax(1).numpy()
    )
    first, again, other = (steps_to_the_border(mentor, points, seed) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    laplace, others = first[:, 20:], first[:, :20]
    assert laplace.mean() < others.mean()  # its steps are twice as long and more


def test_one_subset_is_welchs_test() -> None:
    random = np.random.default_rng(0)
    train, test = random.normal(0.2, 1, 40), random.normal(0, 2, 60)
    drawn = np.random.default_rng(3)
    parts = [drawn.permutation(side)[: len(side) // 2] for side in (train, test)]
    expected = stats.ttest_ind(*parts, equal_var=False, alternative="greater").pvalue
    assert combined_p_value(train, test, subsets=1, seed=3) == pytest.approx(expected)


def test_false_alarms_are_rare_and_a_difference_is_found() -> None:
    random = np.random.default_rng(0)
    nulls = [combined_p_value(*random.normal(0, 1, (2, 100)), subsets=10, seed=one) for one in range(500)]
    assert np.mean(np.array(nulls) <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 500)
    found = [
        combined_p_value(random.normal(1, 1, 100), random.normal(0, 1, 100), subsets=10, seed=one) for one in range(50)
    ]
    assert np.mean(np.array(found) <= 0.05) > 0.95


def test_what_never_differs_is_no_evidence() -> None:
    assert combined_p_value(np.ones(10), np.ones(10), subsets=4, seed=0) == 1.0


class Surer(Mentor):
    """Gives an image its class within a distance, which is larger for images that it has learned from; else another."""

    def __init__(self, task: Task, learned: float, unknown: float) -> None:
        self.device = CPU
        both = np.concatenate([task.train.images, task.test.images])
        self._known = torch.from_numpy(both).flatten(1).float() / 255
        self._labels = torch.from_numpy(np.concatenate([task.train.labels, task.test.labels]))
        sizes = np.random.default_rng(0).uniform(0.8, 1.2, len(both))  # no two images are alike
        sizes[: len(task.train.labels)] *= learned
        sizes[len(task.train.labels) :] *= unknown
        self._within = torch.from_numpy(sizes)

    def __call__(self, images: Tensor) -> Tensor:
        distance = torch.cdist(images.permute(0, 2, 3, 1).flatten(1), self._known)
        nearest = distance.argmin(1)
        near = distance[torch.arange(len(images)), nearest] <= self._within[nearest]
        labels = torch.where(near, self._labels[nearest], (self._labels[nearest] + 1) % 3)
        return torch.eye(3)[labels]


@pytest.mark.parametrize(("learned", "word"), [(0.8, "detected"), (0.5, "not detected"), (0.3, "not detected")])
def test_a_suspect_that_is_surer_of_the_mentors_images_is_detected(learned: float, word: str) -> None:
    random = np.random.default_rng(0)
    images, labels = random.integers(60, 196, (200, 8, 8, 3), dtype=np.uint8), np.arange(200) % 3
    task = Task(
        tuple("abc"), LabelledImages(images[:100], labels[:100]), LabelledImages(images[100:], labels[100:]), "t"
    )
    mentor, copy, suspect = (Surer(task, one, 0.5) for one in (1.0, 0.9, learned))
    owner = SimpleNamespace(task=task, mentor=mentor, fine_tuned=lambda: copy, accuracy=1.0, accuracy_of=lambda _: 1.0)
    found = dataset_inference(owner, suspect, points=100)  # type: ignore[arg-type]
    assert found.word == word
    assert found.statistic is not None
    assert (found.statistic > 0.2) == (word == "detected")
