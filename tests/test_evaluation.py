import numpy as np
import pytest
import torch

from mimicbench.evaluation import Evaluation
from mimicbench.resident import ResidentImages
from tests.making import pictures
from tests.standins import CPU


@pytest.mark.parametrize("count", [1, 1000, 2345])
def test_each_test_image_once_with_its_class_and_the_mentors(count: int) -> None:
    images = pictures(count, 2)
    labels, mentor_labels = torch.arange(count), torch.arange(count).flip(0)
    evaluation = Evaluation(ResidentImages(images, CPU), labels, mentor_labels)
    batches = list(evaluation)
    assert len(batches) == len(evaluation)
    seen, seen_labels, seen_mentor_labels = map(torch.cat, zip(*batches, strict=True))
    np.testing.assert_allclose(seen, images.transpose(0, 3, 1, 2) / 255, atol=1e-7)
    assert torch.equal(seen_labels, labels)
    assert torch.equal(seen_mentor_labels, mentor_labels)
