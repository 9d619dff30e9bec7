import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mimicbench.errors import UserError
from mimicbench.images import folder
from mimicbench.images.folder import FolderImages, image_files
from tests.making import cut, pictures, write_image


def source(root: Path, size: int = 32, convert: bool = False) -> FolderImages:
    return FolderImages("test", root, tuple(image_files(root)), size, convert, "pool")


def test_images_at_any_depth_and_nothing_else(tmp_path: Path) -> None:
    for name in ("b.png", "a/c.PNG", "a/d/e.jpg", ".DS_Store", "._b.png", ".hidden/x.png", "notes.txt", "png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [path.relative_to(tmp_path).as_posix() for path in image_files(tmp_path)] == [
        "a/c.PNG",
        "a/d/e.jpg",
        "b.png",
    ]


def test_linked_folders_count(tmp_path: Path) -> None:
    write_image(tmp_path / "real/a.png", pictures(1)[0])
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/link").symlink_to(tmp_path / "real", target_is_directory=True)
    (tmp_path / "real/loop").symlink_to(tmp_path / "tree", target_is_directory=True)
    assert image_files(tmp_path / "tree") == [tmp_path / "tree/link/a.png"]


def test_pixels_in_the_order_of_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "_FILES", 2)
    images = pictures(5)
    for index in (3, 0, 4, 1, 2):
        write_image(tmp_path / f"{index}.png", images[index])
    np.testing.assert_array_equal(np.concatenate([block.images for block in source(tmp_path).blocks()]), images)


def test_other_modes_need_convert(tmp_path: Path) -> None:
    write_image(tmp_path / "grey.png", Image.new("L", (40, 30), 50))
    with pytest.raises(
        UserError, match=r"grey\.png is grey, not RGB; pool\.convert=true turns such images into RGB\.$"
    ):
        list(source(tmp_path).blocks())
    assert (next(source(tmp_path, convert=True).blocks()).images == 50).all()
    assert source(tmp_path).identity() != source(tmp_path, convert=True).identity()


def test_a_broken_image_is_named(tmp_path: Path) -> None:
    cut(write_image(tmp_path / "broken.jpg", pictures(1)[0]))
    with pytest.raises(UserError, match=r"broken\.jpg cannot be decoded as an image"):
        list(source(tmp_path).blocks())


def test_looking_at_many_files_is_quick(tmp_path: Path) -> None:
    for index in range(10_000):
        (tmp_path / f"{index}.png").touch()
    start = time.process_time()  # not the clock: this machine may be busy
    assert len(source(tmp_path).identity()) == 10_003
    assert time.process_time() - start < 1
