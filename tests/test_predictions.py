from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix, recall_score
from torch import nn
from torchmetrics.functional.classification import multiclass_calibration_error

from mimicbench.evaluation import Evaluation
from mimicbench.predictions import FILE, Predictions, predicted
from mimicbench.resident import ResidentImages
from tests.making import pictures
from tests.standins import CPU, FLOAT32


def make_predictions(count: int = 400, classes: int = 5, seed: int = 0) -> Predictions:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    signal = 2.0 * np.eye(classes)[labels]
    mentor, student = (
        torch.tensor(signal + rng.normal(0, spread, (count, classes))).softmax(1).float().numpy() for spread in (1, 2)
    )
    return Predictions(tuple(f"class {one}" for one in range(classes)), labels, mentor, student)


def test_confusion_and_fidelity_by_class_are_those_of_sklearn() -> None:
    predictions = make_predictions()
    mentor, student = predictions.mentor_labels, predictions.student_labels
    np.testing.assert_array_equal(predictions.confusion(), confusion_matrix(mentor, student, labels=range(5)))
    np.testing.assert_allclose(predictions.class_fidelity(), recall_score(mentor, student, average=None))


def test_a_class_that_the_mentor_never_gives_has_no_fidelity() -> None:
    some = make_predictions(classes=3)
    sure = np.eye(3, dtype=np.float32)[some.mentor_labels % 2]
    fidelity = Predictions(some.classes, some.labels, sure, some.student).class_fidelity()
    assert np.isnan(fidelity).tolist() == [False, False, True]


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_the_calibration_error_is_that_of_torchmetrics(bins: int) -> None:
    predictions = make_predictions()
    for probabilities in (predictions.mentor, predictions.student):
        expected = multiclass_calibration_error(
            torch.tensor(probabilities), torch.tensor(predictions.labels), 5, n_bins=bins, norm="l1"
        )
        found = predictions.calibration(probabilities, bins)
        assert found.error == pytest.approx(float(expected), abs=1e-6)
        assert found.count.sum() == 400


def test_certain_answers_are_in_the_last_bin() -> None:
    some = make_predictions(count=40)
    certain = np.eye(5, dtype=np.float32)[some.labels]
    calibration = some.calibration(certain)
    assert calibration.count.tolist() == [0] * 14 + [40]
    assert (calibration.confidence[-1], calibration.accuracy[-1], calibration.error) == (1.0, 1.0, 0.0)


def test_they_are_read_as_they_were_saved(tmp_path: Path) -> None:
    predictions = make_predictions()
    predictions.save(tmp_path)
    again = Predictions.read(tmp_path)
    assert again is not None
    assert again.classes == predictions.classes
    for name in ("labels", "mentor", "student"):
        np.testing.assert_array_equal(getattr(again, name), getattr(predictions, name))


@pytest.mark.parametrize("content", [None, b"", b"no archive", b"PK\x03\x04 cut off"])
def test_what_cannot_be_read_is_none(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / FILE).write_bytes(content)
    assert Predictions.read(tmp_path) is None


def test_a_network_is_asked_in_evaluation_mode_about_all_test_images_whatever_the_rank() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 6 * 6, 4), nn.Dropout(0.5)).train()
    images, labels = ResidentImages(pictures(700, 6), CPU), torch.zeros(700, dtype=torch.int64)
    found = predicted(network, Evaluation(images, labels, labels), FLOAT32)
    with torch.no_grad():
        expected = network[1](images.take(torch.arange(700)).flatten(1)).softmax(1)
    torch.testing.assert_close(found, expected)
