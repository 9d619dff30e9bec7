from pathlib import Path

import numpy as np
import torch

from mimicbench.mentors.course import Course
from mimicbench.oracles.edm import EDM
from mimicbench.oracles.owner import Owner
from mimicbench.pools.photos import photos
from tests.making import make_paths
from tests.oracles.protected import some_images, spy
from tests.standins import FLOAT32, make_recipe, make_task

NETWORK = {"_target_": "mimicbench.networks.vgg.VGG16", "width": 0.2, "batch_norm": True}
AUXILIARY = {"_target_": "mimicbench.pools.photos.photos", "name": "photos", "crops": 128, "seed": 0}


def made(folder: Path, max_epochs: int = 20, members: int = 3, diversity: float = 1.0) -> EDM:
    recipe = make_recipe(batch_size=16, learning_rate=0.01, weight_decay=5e-3, schedule="one_cycle")
    training = Course(NETWORK, 0, max_epochs, None, recipe, None, 5.0)
    owner = Owner(make_task(40), make_paths(folder), FLOAT32)
    own = {"members": members, "diversity": diversity, "auxiliary": AUXILIARY, "seed": 0, "training": training}
    return EDM(spy(3), owner, budget=None, **own)


def answers_of_members(oracle: EDM, images: torch.Tensor) -> torch.Tensor:
    members = oracle._EDM__members  # type: ignore[attr-defined]
    return torch.stack([member(images) for member in members], 1)


def disagreement(answers: torch.Tensor) -> float:
    labels = answers.argmax(2)
    return float((labels != labels[:, :1]).any(1).float().mean())


def test_members_agree_on_the_task_and_not_on_other_images(tmp_path: Path) -> None:
    oracle, task = made(tmp_path), make_task(40)
    own = torch.from_numpy(task.test.images).permute(0, 3, 1, 2) / 255
    answers = answers_of_members(oracle, own)
    right = answers.argmax(2) == torch.from_numpy(task.test.labels)[:, None]
    assert right.float().mean() > 0.9
    other = torch.from_numpy(_crops(tmp_path)).permute(0, 3, 1, 2) / 255
    assert disagreement(answers_of_members(oracle, other)) > 0.5
    indifferent = made(tmp_path, diversity=0.0)
    assert disagreement(answers_of_members(oracle, other)) > disagreement(answers_of_members(indifferent, other))


def test_each_image_is_answered_by_one_member_and_each_by_as_many(tmp_path: Path) -> None:
    oracle, images = made(tmp_path, max_epochs=1), some_images(600)
    replies = oracle._reply(torch.full((600, 3), 1 / 3), images)
    distance = (answers_of_members(oracle, images) - replies[:, None]).abs().amax(2)
    nearest, who = distance.min(1)
    assert nearest.max() < 1e-5
    assert (torch.bincount(who, minlength=3) - 200).abs().max() < 60  # five standard deviations


def test_it_is_trained_once(tmp_path: Path) -> None:
    first = made(tmp_path, max_epochs=1)
    files = list((tmp_path / "cache" / "ensembles").glob("*.ckpt"))
    assert len(files) == 1
    assert made(tmp_path, max_epochs=1).fingerprint == first.fingerprint
    assert made(tmp_path, max_epochs=1, members=2).fingerprint != first.fingerprint
    assert len(list((tmp_path / "cache" / "ensembles").glob("*.ckpt"))) == 2


def _crops(folder: Path) -> np.ndarray:
    return photos(make_paths(folder), 32, crops=128, seed=0).images.copy()
