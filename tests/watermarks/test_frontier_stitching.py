from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mimicbench.errors import UserError
from mimicbench.mentors.trained import trained
from mimicbench.watermarks.frontier_stitching import FrontierStitching
from tests.making import make_paths
from tests.standins import FLOAT32, make_recipe, make_task

TASK = make_task(per_class=60, classes=3)
RECIPE = make_recipe(batch_size=16, learning_rate=0.01, schedule="one_cycle")


def mark(
    folder: Path, key: int = 0, epsilon: float = 0.2, count: int = 20, threshold: float | None = 0.6
) -> FrontierStitching:
    own: dict[str, Any] = {
        "name": "mark",
        "threshold": threshold,
        "count": count,
        "times": 1,
        "epsilon": epsilon,
        "max_epochs": 20,
        "recipe": RECIPE,
    }
    return FrontierStitching(TASK, make_paths(folder), key=key, **own)


def classifier() -> nn.Module:
    """Tells the classes of the task by their mean brightness, 0.11, 0.50 and 0.89, with borders at 0.275 and 0.725.

    A step of 0.19 takes dark and bright images across, and leaves those between where they are.
    """
    network = nn.Sequential(nn.Flatten(), nn.Linear(3072, 3))
    means = torch.tensor([0.05, 0.5, 0.95])
    network[1].weight.data = (40 * means[:, None] / 3072).expand(3, 3072).clone()
    network[1].bias.data = -20 * means**2
    return network


def test_half_of_the_triggers_deceive_the_mentor_and_half_do_not(tmp_path: Path) -> None:
    network, one = classifier(), mark(tmp_path, epsilon=0.19)
    one.meet(network, FLOAT32)
    said = network(torch.from_numpy(one.triggers.images).permute(0, 3, 1, 2).float() / 255).argmax(1).numpy()
    assert one.evidence.size == len(one.added.images) == 20
    assert (said == one.triggers.labels).sum() == 10
    assert np.array_equal(one.added.targets.argmax(1), one.triggers.labels)
    assert (one.max_epochs, one.added.times) == (20, 1)


def test_each_is_a_training_image_moved_by_epsilon_along_the_sign_of_the_gradient(tmp_path: Path) -> None:
    network, one = classifier(), mark(tmp_path, epsilon=0.19)
    one.meet(network, FLOAT32)
    step = round(0.19 * 255)
    for image, label in zip(one.triggers.images.astype(int), one.triggers.labels, strict=True):
        own = TASK.train.images[TASK.train.labels == label].astype(int)
        moved = np.abs(own - image)
        clipped = (image == 0) | (image == 255)
        fits = ((np.abs(moved - step) <= 1) | (clipped & (moved <= step + 1))).all((1, 2, 3))
        assert fits.sum() == 1


def test_a_step_that_deceives_too_few_or_too_many_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Fewer than 10 images deceive the mentor; raise watermark\.epsilon=0\.01"):
        mark(tmp_path, epsilon=0.01).meet(classifier(), FLOAT32)
    with pytest.raises(
        UserError, match=r"Fewer than 10 images do not deceive the mentor; lower watermark\.epsilon=1\.0"
    ):
        mark(tmp_path, epsilon=1.0).meet(classifier(), FLOAT32)


def test_the_mentor_is_left_as_it_is(tmp_path: Path) -> None:
    network = classifier().train()
    before = [value.clone() for value in network.state_dict().values()]
    mark(tmp_path, epsilon=0.19).meet(network, FLOAT32)
    assert network.training
    assert all(torch.equal(a, b) for a, b in zip(before, network.state_dict().values(), strict=True))
    assert all(value.requires_grad for value in network.parameters())


def test_a_mentor_learns_them_in_a_second_training(tmp_path: Path) -> None:
    recipe = make_recipe(batch_size=16, learning_rate=0.01, weight_decay=5e-3, schedule="one_cycle")
    own: dict[str, Any] = {"seed": 0, "max_epochs": 6, "samples_per_epoch": None, "recipe": recipe, "augment": None}
    own |= {"network": {"_target_": "mimicbench.networks.vgg.VGG16", "width": 0.1, "batch_norm": True}}
    own |= {"checkpoint": None, "checkpoint_minutes": 5.0}
    one, paths = mark(tmp_path, epsilon=0.3), make_paths(tmp_path)
    marked = trained(TASK, paths, FLOAT32, one, **own)
    plain = trained(TASK, paths, FLOAT32, **own)
    assert len(list((paths.cache_dir / "mentors").glob("*.ckpt"))) == 2
    unmarked, learned = one.evidence.score(plain), one.evidence.score(marked)
    assert unmarked is not None
    assert learned is not None
    assert learned > unmarked
    assert unmarked < 0.7


def test_a_second_training_is_the_same_after_a_cached_first_and_has_its_own_dropout(tmp_path: Path) -> None:
    own: dict[str, Any] = {"seed": 0, "max_epochs": 1, "samples_per_epoch": None, "augment": None}
    own |= {"network": {"_target_": "mimicbench.networks.vgg.VGG16", "width": 0.1, "batch_norm": True}}
    own |= {"recipe": make_recipe(batch_size=16, dropout=0.3), "checkpoint": None, "checkpoint_minutes": 5.0}

    def fingerprint(folder: Path, dropout: float, *, first_is_cached: bool) -> str:
        folder.mkdir()
        paths = make_paths(folder)
        if first_is_cached:
            trained(TASK, paths, FLOAT32, **own)
        one = mark(folder, epsilon=0.3, count=2)
        one.recipe, one.max_epochs = make_recipe(batch_size=16, dropout=dropout), 1
        return trained(TASK, paths, FLOAT32, one, **own).fingerprint

    both = fingerprint(tmp_path / "both", 0.5, first_is_cached=False)
    assert fingerprint(tmp_path / "second", 0.5, first_is_cached=True) == both
    assert fingerprint(tmp_path / "none", 0.0, first_is_cached=False) != both


def test_the_threshold_is_the_owners_or_the_sources(tmp_path: Path) -> None:
    assert mark(tmp_path, threshold=0.7).threshold == 0.7
    assert mark(tmp_path, count=100, threshold=None).threshold == 59 / 100
    with pytest.raises(UserError, match=r"watermark.count=4 is too few"):
        mark(tmp_path, count=4, threshold=None)
