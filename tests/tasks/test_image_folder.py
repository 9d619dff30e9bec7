import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mimicbench.errors import UserError
from mimicbench.paths import Paths
from mimicbench.tasks.image_folder import image_folder
from mimicbench.tasks.task import Task
from tests.making import make_paths, write_image


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Two images a class and split, of colours that say which: (class, split, number)."""
    paths = make_paths(tmp_path)
    for label, name in enumerate(("cat", "dog", "emu")):
        for number, split in enumerate(("train", "test")):
            for index in range(2):
                colour = (10 * label, 10 * number, index)
                image = Image.new("RGB", (50, 40), colour)
                write_image(paths.data_dir / "pets" / split / name / "deeper" / f"{index}.png", image)
    (paths.data_dir / "pets/train/cat/.DS_Store").touch()
    (paths.data_dir / "pets/train/notes.txt").touch()
    return paths


def load(paths: Paths, **changes: object) -> Task:
    return image_folder(paths, **({"folder": "pets", "size": 32, "convert": False} | changes))  # type: ignore[arg-type]


def test_classes_labels_and_pixels(paths: Paths) -> None:
    task = load(paths, size=48)
    assert task.classes == ("cat", "dog", "emu")
    assert task.train.images.shape == (6, 48, 48, 3)
    for number, part in enumerate((task.train, task.test)):
        np.testing.assert_array_equal(part.labels, [0, 0, 1, 1, 2, 2])
        expected = [(10 * label, 10 * number, index) for label in range(3) for index in range(2)]
        np.testing.assert_array_equal(part.images[:, 20, 20], expected)


def test_fingerprint_depends_on_content_and_names_alone(paths: Paths) -> None:
    first = load(paths).fingerprint
    shutil.copytree(paths.data_dir / "pets", paths.data_dir / "copy")
    assert load(paths, folder="copy").fingerprint == first
    for split in ("train", "test"):
        (paths.data_dir / "copy" / split / "emu").rename(paths.data_dir / "copy" / split / "fox")
    assert load(paths, folder="copy").fingerprint != first


def test_a_changed_image_is_decoded_anew(paths: Paths) -> None:
    first = load(paths)
    write_image(paths.data_dir / "pets/test/cat/deeper/0.png", Image.new("RGB", (50, 40), "white"))
    second = load(paths)
    assert second.fingerprint != first.fingerprint
    assert (second.test.images[0] == 255).all()


def test_without_test_images_there_is_no_task(paths: Paths) -> None:
    shutil.rmtree(paths.data_dir / "pets/test")
    with pytest.raises(UserError, match=r"pets/test does not exist; task\.folder must hold test/<class>/"):
        load(paths)


def test_test_images_alone_are_enough_for_a_mentor_that_is_there(paths: Paths) -> None:
    whole = load(paths)
    shutil.rmtree(paths.data_dir / "pets/train")
    alone = load(paths)
    assert alone.classes == whole.classes
    np.testing.assert_array_equal(alone.test.images, whole.test.images)
    assert alone.fingerprint != whole.fingerprint
    with pytest.raises(UserError, match="training images are needed, and it holds test images alone"):
        _ = alone.train


def test_a_split_without_classes(paths: Paths) -> None:
    shutil.rmtree(paths.data_dir / "pets/test")
    write_image(paths.data_dir / "pets/test/a.png", Image.new("RGB", (32, 32)))
    with pytest.raises(UserError, match="pets/test holds no folders"):
        load(paths)


@pytest.mark.parametrize(("lacking", "other"), [("train", "test"), ("test", "train")])
def test_a_class_in_one_split_only(paths: Paths, lacking: str, other: str) -> None:
    write_image(paths.data_dir / "pets" / other / "fox/a.png", Image.new("RGB", (32, 32)))
    with pytest.raises(UserError, match=f"pets/{lacking}/fox does not exist, but every class needs images there"):
        load(paths)


def test_a_class_without_images(paths: Paths) -> None:
    shutil.rmtree(paths.data_dir / "pets/train/dog/deeper")
    (paths.data_dir / "pets/train/dog/notes.txt").touch()
    with pytest.raises(UserError, match="pets/train/dog holds no images; put some of the class 'dog' there"):
        load(paths)


def test_a_single_class(paths: Paths) -> None:
    for split in ("train", "test"):
        for name in ("cat", "emu"):
            shutil.rmtree(paths.data_dir / "pets" / split / name)
    with pytest.raises(UserError, match="pets/test holds one class, 'dog'"):
        load(paths)


@pytest.mark.parametrize("mode", ["L", "RGBA"])
def test_other_modes_need_convert(paths: Paths, mode: str) -> None:
    write_image(paths.data_dir / "pets/train/dog/odd.png", Image.new(mode, (32, 32)))
    with pytest.raises(UserError, match=r"dog/odd\.png is .*, not RGB; task\.convert=true turns"):
        load(paths)
    assert len(load(paths, convert=True).train.images) == 7
