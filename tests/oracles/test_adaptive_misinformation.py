import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mimicbench.mentors.course import Course
from mimicbench.oracles.adaptive_misinformation import AdaptiveMisinformation, Misinforming
from mimicbench.oracles.owner import Owner
from tests.making import make_paths
from tests.oracles.protected import some_answers, some_images, spy
from tests.standins import FLOAT32, make_recipe, make_task

NETWORK = {"_target_": "mimicbench.networks.vgg.VGG16", "width": 0.2, "batch_norm": True}


def made(folder: Path, threshold: float = 0.7, steepness: float = 1000.0, seed: int = 0) -> AdaptiveMisinformation:
    recipe = make_recipe(batch_size=8, learning_rate=0.05, schedule="one_cycle")
    training = Course(NETWORK, seed, 6, None, recipe, None, 5.0)
    owner = Owner(make_task(40), make_paths(folder), FLOAT32)
    own = {"threshold": threshold, "steepness": steepness, "training": training}
    return AdaptiveMisinformation(spy(3), owner, budget=None, **own)


def test_sure_answers_pass_and_others_become_misinformation(tmp_path: Path) -> None:
    oracle = made(tmp_path)
    images = some_images(3)
    sure, unsure = torch.tensor([0.0, 0.9, 0.1]).expand(3, 3), torch.tensor([0.3, 0.6, 0.1]).expand(3, 3)
    assert torch.equal(oracle._reply(sure, images), sure)
    wrong = oracle._reply(unsure, images)
    assert torch.equal(oracle._reply(torch.tensor([0.5, 0.4, 0.1]).expand(3, 3), images), wrong)


def test_between_them_replies_are_those_of_the_formula(tmp_path: Path) -> None:
    images, answers = some_images(200), some_answers(200, classes=3)
    wrong = made(tmp_path, steepness=1e6, threshold=1.0)._reply(torch.full((200, 3), 1 / 3), images)
    replies = made(tmp_path, steepness=5.0)._reply(answers, images)
    for answer, reply, misinformed in zip(answers.tolist(), replies.tolist(), wrong.tolist(), strict=True):
        alpha = 1 / (1 + math.exp(-5.0 * (0.7 - max(answer))))
        expected = [(1 - alpha) * y + alpha * f for y, f in zip(answer, misinformed, strict=True)]
        assert reply == pytest.approx(expected, abs=1e-6)


def test_the_network_learns_to_be_wrong(tmp_path: Path) -> None:
    task = make_task(40)
    oracle = made(tmp_path, threshold=1.0)
    images = torch.from_numpy(task.test.images).permute(0, 3, 1, 2) / 255
    wrong = oracle._reply(torch.full((len(images), 3), 1 / 3), images)
    assert (wrong.argmax(1).numpy() == task.test.labels).mean() < 0.1  # chance is a third


def test_it_is_trained_once(tmp_path: Path) -> None:
    first = made(tmp_path)
    files = list((tmp_path / "cache" / "misinformers").glob("*.ckpt"))
    assert len(files) == 1
    written = files[0].stat().st_mtime_ns
    assert made(tmp_path, threshold=0.5).fingerprint == first.fingerprint
    assert files[0].stat().st_mtime_ns == written
    assert made(tmp_path, seed=1).fingerprint != first.fingerprint


def test_the_loss_is_the_reverse_cross_entropy() -> None:
    logits = torch.randn(5, 4, dtype=torch.float64)
    labels = torch.tensor([0, 1, 2, 3, 0])

    def literal(row: Tensor, label: int) -> float:
        return -math.log(1 - float(row.softmax(0)[label]))

    expected = sum(literal(row, int(label)) for row, label in zip(logits, labels, strict=True)) / 5
    targets = torch.nn.functional.one_hot(labels, 4).double()
    found = Misinforming.loss(None, logits, targets)  # type: ignore[arg-type]
    assert float(found) == pytest.approx(expected)
