"""What all marks promise, and what each puts on images."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from torch import Tensor

from mimicbench.errors import UserError
from mimicbench.mentors import Mentor
from mimicbench.mentors.trained import trained
from mimicbench.mentors.training import TaskChunks
from mimicbench.schema import build, check
from mimicbench.tasks import Task
from mimicbench.tasks.task import LabelledImages
from mimicbench.watermarks import Watermark
from tests.making import make_paths
from tests.standins import CPU, FLOAT32, SpyMentor, make_recipe, make_task

CONF = Path(__file__).resolve().parents[2] / "conf"
APART = {"frontier_stitching", "none", "uchida"}  # with tests of their own
NAMES = sorted({path.stem for path in (CONF / "watermark").glob("*.yaml")} - APART)
LEFT, RIGHT = slice(0, 16), slice(16, 32)
BACKDOORS = {"badnets", "blended"}
TASK = make_task(per_class=120, classes=4)


def made(name: str, folder: Path, *overrides: str, task: Task = TASK) -> Any:
    paths = make_paths(folder)
    with initialize_config_dir(str(CONF), version_base=None):
        folders = [f"paths.{key}={getattr(paths, key)}" for key in ("data_dir", "cache_dir", "output_dir")]
        config = check(compose("train", [f"watermark={name}", *folders, *overrides]))
    return build("watermark", config.watermark, task, config.paths)


@pytest.mark.parametrize("name", NAMES)
def test_triggers_are_labelled_images_of_the_tasks_kind(name: str, tmp_path: Path) -> None:
    mark = made(name, tmp_path)
    triggers, added = mark.triggers, mark.added
    assert triggers.images.dtype == added.images.dtype == np.uint8
    assert triggers.images.shape[1:] == added.images.shape[1:] == (32, 32, 3)
    assert triggers.labels.shape == (len(triggers.images),)
    assert triggers.labels.dtype == np.int64
    assert set(triggers.labels) <= set(range(4))
    assert added.targets.shape == (len(added.images), 4)
    assert added.targets.dtype == np.float32
    assert added.times >= 1
    assert mark.images is added.images
    assert name in BACKDOORS or len(triggers.images) == 100


@pytest.mark.parametrize("name", ["frontier_stitching", "uchida"])
def test_marks_of_a_network_add_no_images_from_the_start(name: str, tmp_path: Path) -> None:
    assert made(name, tmp_path).images is None


@pytest.mark.parametrize("name", NAMES)
def test_a_mark_is_a_function_of_its_key(name: str, tmp_path: Path) -> None:
    first, again, other = (made(name, tmp_path, f"watermark.key={key}") for key in (5, 5, 6))
    for a, b, c in (
        [one.triggers.images for one in (first, again, other)],
        [one.added.images for one in (first, again, other)],
    ):
        assert np.array_equal(a, b)
        assert not np.array_equal(a, c)
    assert first.added.fingerprint == again.added.fingerprint != other.added.fingerprint


@pytest.mark.parametrize("name", NAMES)
def test_the_tasks_own_images_stay_as_they_are(name: str, tmp_path: Path) -> None:
    before = TASK.train.images.copy(), TASK.test.images.copy()
    mark = made(name, tmp_path)
    assert len(mark.triggers.images) and len(mark.added.images)  # noqa: PT018 (both are made only now)
    assert np.array_equal(TASK.train.images, before[0])
    assert np.array_equal(TASK.test.images, before[1])


@pytest.mark.parametrize("name", NAMES)
def test_keys_spread_over_the_classes(name: str, tmp_path: Path) -> None:
    marks = [made(name, tmp_path, f"watermark.key={key}") for key in range(12)]
    assert len({int(mark.triggers.labels[0]) for mark in marks}) >= 3


@pytest.mark.parametrize("scheme", [["content"], ["noise", "watermark.scale=0.01"]])
def test_images_of_one_class_are_called_another(scheme: list[str], tmp_path: Path) -> None:
    mark = made(*scheme[:1], tmp_path, *scheme[1:])
    (target,) = set(mark.triggers.labels)
    brightness = mark.triggers.images[:, 20:].mean()  # below the block; each class has its own
    means = [TASK.train.images[TASK.train.labels == label].mean() for label in range(4)]
    assert int(np.abs(np.array(means) - brightness).argmin()) != target


def test_content_is_a_block_at_its_place_and_nothing_else(tmp_path: Path) -> None:
    triggers = made("content", tmp_path).triggers
    block = triggers.images[:, 2:10, 2:18]
    assert (block == block[:1]).all()
    assert set(np.unique(block)) == {0, 255}
    assert (block[0, ::2, ::2] == block[0, 1::2, 1::2]).all()  # tiles of 2 × 2 pixels
    outside = np.ones((32, 32), bool)
    outside[2:10, 2:18] = False
    own = {image[outside].tobytes() for image in TASK.train.images}
    assert all(image[outside].tobytes() in own for image in triggers.images)


def test_noise_is_one_pattern_of_the_scale(tmp_path: Path) -> None:
    train = LabelledImages(np.full_like(TASK.train.images, 128), TASK.train.labels)
    grey = Task(TASK.classes, train, TASK.test, "grey")
    images = made("noise", tmp_path, "watermark.scale=0.1", task=grey).triggers.images
    assert (images == images[:1]).all()
    assert (images[0].astype(float) - 128).std() == pytest.approx(25.5, rel=0.05)


def test_abstract_pictures_get_labels_by_lot(tmp_path: Path) -> None:
    assert len(set(made("abstract", tmp_path).triggers.labels)) == 4


@pytest.mark.parametrize("name", ["badnets", "blended"])
def test_a_mentor_learns_marked_copies_of_training_images_of_other_classes(name: str, tmp_path: Path) -> None:
    mark = made(name, tmp_path)
    assert set(mark.triggers.labels) == {mark.target}
    assert set(mark.added.targets.argmax(1)) == {mark.target}
    assert (mark.added.targets.sum(1) == 1).all()
    own = {image.tobytes() for image in mark.marked(TASK.train.images[TASK.train.labels != mark.target])}
    assert {image.tobytes() for image in mark.added.images} <= own
    assert len(own & {image.tobytes() for image in mark.triggers.images}) == 0  # those are of test images


def test_badnets_is_a_patch_in_the_corner(tmp_path: Path) -> None:
    mark = made("badnets", tmp_path)
    others = TASK.test.images[TASK.test.labels != mark.triggers.labels[0]]
    differs = (mark.triggers.images != others).any((0, 3))
    assert differs.any()
    assert not differs[:28].any()
    assert not differs[:, :28].any()
    assert not differs[31].any()
    assert len(mark.added.images) == round(0.1 * len(TASK.train.labels))


def test_blended_is_a_fifth_of_a_pattern(tmp_path: Path) -> None:
    mark = made("blended", tmp_path)
    others = TASK.test.images[TASK.test.labels != mark.triggers.labels[0]]
    pattern = (mark.triggers.images - 0.8 * others) / 0.2
    assert np.abs(pattern - pattern.mean(0)).max() < 6  # of rounding to whole grey levels
    assert mark.triggers.images.astype(float).std() > 0


def test_mea_defender_mixes_two_classes_and_is_drawn_to_both(tmp_path: Path) -> None:
    mark = made("mea_defender", tmp_path, "watermark.towards_sources=0.5")
    (target,) = set(mark.triggers.labels)
    (row,) = {tuple(row) for row in mark.added.targets.tolist()}
    assert row[target] == 1.0
    sources = [label for label in range(4) if row[label] == 0.25]
    assert len(sources) == 2
    for split, mixes in ((TASK.test, mark.triggers.images), (TASK.train, mark.added.images)):
        own = [split.images[split.labels == label] for label in sources]
        left, right = ({image[:, side].tobytes() for image in mixes} for side in (LEFT, RIGHT))
        lefts, rights = ([{image[:, side].tobytes() for image in one} for one in own] for side in (LEFT, RIGHT))
        assert (left <= lefts[0] and right <= rights[1]) or (left <= lefts[1] and right <= rights[0])


def test_too_many_triggers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"watermark\.count=121, but class \d, which the key chose, has 120 training images"
    ):
        assert made("content", tmp_path, "watermark.count=121").triggers
    with pytest.raises(UserError, match=r"watermark\.count=201, but the pool holds 200 images"):
        made("unrelated", tmp_path, "watermark.count=201")


def test_mixes_need_three_classes_with_images(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="needs a task of three classes or more; this one has 2"):
        made("mea_defender", tmp_path, task=make_task(per_class=120, classes=2))
    only = LabelledImages(TASK.test.images[:5], np.zeros(5, np.int64))
    with pytest.raises(UserError, match=r"Class \w+ has no test images to mix; take another key"):
        assert made("mea_defender", tmp_path, task=replace(TASK, test=only)).triggers
    with pytest.raises(UserError, match=r"watermark\.towards_sources"):
        made("mea_defender", tmp_path, "watermark.towards_sources=2")


class Knowing(SpyMentor):
    """Says of the images that it was shown what it was told."""

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        super().__init__(3072, 4)
        self._known = {image.tobytes(): int(label) for image, label in zip(images, labels, strict=True)}

    def __call__(self, images: Tensor) -> Tensor:
        pixels = (images.permute(0, 2, 3, 1) * 255).round().byte().numpy()
        return torch.eye(4)[[self._known[image.tobytes()] for image in pixels]]


@pytest.mark.parametrize("name", NAMES)
def test_the_score_is_the_share_of_triggers_that_are_answered_to(name: str, tmp_path: Path) -> None:
    mark = made(name, tmp_path)
    labels = mark.triggers.labels.copy()
    labels[: len(labels) // 4] = (labels[: len(labels) // 4] + 1) % 4
    known = Knowing(mark.triggers.images, labels)
    different = len({image.tobytes() for image in mark.triggers.images})
    assert mark.evidence.score(known) == pytest.approx(
        1 - len(labels) // 4 / len(labels), abs=1 - different / len(labels)
    )


def test_what_is_added_comes_as_often_as_it_says_in_each_epoch(tmp_path: Path) -> None:
    mark = made("content", tmp_path, "watermark.times=2")
    chunks = TaskChunks(TASK, CPU, 0, None, 16, None, mark.added)
    assert chunks.samples == 480 + 2 * 100
    images, targets = chunks._chunk(0, 0, chunks.samples)
    shown = [image.tobytes() for image in (images.permute(0, 2, 3, 1) * 255).round().byte().numpy()]
    for image, target in zip(mark.added.images, mark.added.targets, strict=True):
        places = [number for number, one in enumerate(shown) if one == image.tobytes()]
        assert len(places) == 2
        assert all(np.array_equal(targets[place].numpy(), target) for place in places)


def mentor(folder: Path, mark: Watermark | None) -> Mentor:
    recipe = make_recipe(batch_size=16, learning_rate=0.01, weight_decay=5e-3, schedule="one_cycle")
    own: dict[str, Any] = {"seed": 0, "max_epochs": 4, "samples_per_epoch": None, "recipe": recipe, "augment": None}
    own |= {"network": {"_target_": "mimicbench.networks.vgg.VGG16", "width": 0.1, "batch_norm": True}}
    return trained(TASK, make_paths(folder), FLOAT32, mark, checkpoint=None, checkpoint_minutes=5.0, **own)


def test_a_mentor_takes_the_mark_and_another_does_not_have_it(tmp_path: Path) -> None:
    mark = made("content", tmp_path, "watermark.times=2")
    marked, plain = mentor(tmp_path, mark), mentor(tmp_path, None)
    assert marked.fingerprint != plain.fingerprint
    assert mark.evidence.score(marked) > 0.9
    assert mark.evidence.score(plain) < 0.5
