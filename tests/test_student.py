import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score
from torch import nn

from mimicbench.evaluation import Evaluation
from mimicbench.resident import ResidentImages
from mimicbench.student import Student
from tests.making import pictures
from tests.standins import CPU, ListedChunks, make_recipe, make_trainer

IMAGES = pictures(1500, 4)
LABELS = np.random.default_rng(0).integers(0, 5, 1500)
MENTOR_LABELS = np.where(np.random.default_rng(1).random(1500) < 0.7, LABELS, (LABELS + 1) % 5)


def make_student(epochs: int = 1) -> Student:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(48, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 5))
    return Student(network, make_recipe(batch_size=8, learning_rate=0.1), epochs * 8, 5)


def evaluation() -> Evaluation:
    return Evaluation(ResidentImages(IMAGES, CPU), torch.tensor(LABELS), torch.tensor(MENTOR_LABELS))


def predicted(student: Student) -> np.ndarray:
    with torch.no_grad():
        return student.eval()(torch.from_numpy(IMAGES).permute(0, 3, 1, 2) / 255).argmax(1).numpy()


def test_accuracy_and_fidelity_are_those_of_scikit_learn() -> None:
    student = make_student()
    (measured,) = make_trainer().validate(student, evaluation(), verbose=False)
    classes = predicted(student)
    assert measured["test/accuracy"] == pytest.approx(accuracy_score(LABELS, classes))
    assert measured["test/fidelity"] == pytest.approx(accuracy_score(MENTOR_LABELS, classes))
    assert measured["test/accuracy"] != measured["test/fidelity"]


@pytest.mark.parametrize("epochs", [1, 3])
def test_what_is_left_after_training_is_the_last_epochs_measurement(epochs: int) -> None:
    student, trainer = make_student(epochs), make_trainer(epochs)
    images, replies = torch.rand(64, 3, 4, 4), torch.randn(64, 5).softmax(1)
    trainer.fit(student, ListedChunks(images, replies, 16), evaluation())
    classes = predicted(student)
    assert float(trainer.callback_metrics["test/accuracy"]) == pytest.approx(accuracy_score(LABELS, classes))
    assert float(trainer.callback_metrics["test/fidelity"]) == pytest.approx(accuracy_score(MENTOR_LABELS, classes))


def test_measuring_changes_nothing() -> None:
    student = make_student()
    before = {name: value.clone() for name, value in student.network.state_dict().items()}
    make_trainer().validate(student, evaluation(), verbose=False)
    assert all(torch.equal(value, before[name]) for name, value in student.network.state_dict().items())
