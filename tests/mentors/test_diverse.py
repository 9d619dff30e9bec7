import math

import numpy as np
import pytest
import torch
from torch import nn

from mimicbench.mentors.course import Course
from mimicbench.mentors.diverse import DiverseTraining, Ensemble, ExposedChunks
from mimicbench.resident import ResidentImages
from tests.making import pictures
from tests.standins import CPU, make_recipe, make_task


def test_an_ensemble_gives_the_logits_of_all_its_members() -> None:
    members: list[nn.Module] = [nn.Linear(4, 3), nn.Linear(4, 3)]
    given = torch.rand(5, 4)
    assert torch.equal(Ensemble(members)(given), torch.stack([member(given) for member in members], 1))


def test_the_loss_is_that_of_the_source_written_out() -> None:
    logits = torch.randn(6, 3, 4, dtype=torch.float64, generator=torch.manual_seed(0))
    labels = [0, 3, 1]  # of the first three; the others are auxiliary
    targets = torch.zeros(6, 4, dtype=torch.float64)
    for row, label in enumerate(labels):
        targets[row, label] = 1
    accuracy, diversity = 0.0, 0.0
    for row, label in enumerate(labels):
        accuracy -= sum(math.log(logits[row, i].softmax(0)[label]) for i in range(3)) / 3
    for row in (3, 4, 5):
        said = [logits[row, i].softmax(0) for i in range(3)]
        cosines = [said[i] @ said[j] / (said[i].norm() * said[j].norm()) for i, j in ((0, 1), (0, 2), (1, 2))]
        diversity += math.log(sum(map(math.exp, cosines))) / 3
    learner = DiverseTraining(Ensemble([nn.Linear(1, 1)]), make_recipe(), 1, 4)
    learner.diversity = 0.5
    assert float(learner.loss(logits, targets)) == pytest.approx(accuracy + 0.5 * diversity)


def test_every_other_image_is_auxiliary_and_has_no_target() -> None:
    task, others = make_task(10), pictures(7, seed=9)
    course = Course({"_target_": "none"}, 0, 1, None, make_recipe(batch_size=4), None, 5.0)
    chunks = ExposedChunks(course, task, ResidentImages(others, CPU))
    images, targets = chunks._mixed(0, 0, 60)
    assert torch.equal(targets.sum(1), torch.tensor([1.0, 0.0]).repeat(30))
    shown = (images.permute(0, 2, 3, 1) * 255).round().byte().numpy()
    own = {image.tobytes(): label for image, label in zip(task.train.images, task.train.labels, strict=True)}
    assert [own[image.tobytes()] for image in shown[::2]] == targets[::2].argmax(1).tolist()
    assert len({image.tobytes() for image in shown[::2]}) == 30
    assert {image.tobytes() for image in shown[1::2]} == {image.tobytes() for image in others}
    cut = [chunks._mixed(0, start, start + 20) for start in (0, 20, 40)]
    assert np.array_equal(torch.cat([part[0] for part in cut]).numpy(), images.numpy())
