import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mimicbench.errors import UserError
from mimicbench.images import batches
from mimicbench.images.batches import BatchImages, batch_files
from mimicbench.images.source import Block
from tests.making import cut, flat, pictures, write_batch


def source(*files: Path, size: int = 32, classes: int | None = None) -> BatchImages:
    return BatchImages("test", files[0].parent, files, size, classes)


def everything(images: BatchImages) -> list[Block]:
    images.expected()
    return list(images.blocks())


def refused(images: BatchImages) -> str:
    with pytest.raises(UserError) as refusal:
        everything(images)
    return str(refusal.value)


@pytest.mark.parametrize("name", ["a.npz", "a"])
def test_channels_and_rows_keep_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(batches, "_ROWS", 3)
    images, labels = pictures(10), [3, 1, 4, 1, 5, 9, 2, 6, 5, 3]
    files = [
        write_batch(tmp_path / str(part) / name, {"data": flat(images[rows]), "labels": labels[rows]})
        for part, rows in enumerate((slice(0, 7), slice(7, 10)))
    ]
    read = list(source(*files, classes=10).blocks())
    np.testing.assert_array_equal(np.concatenate([block.images for block in read]), images)
    np.testing.assert_array_equal(np.concatenate([block.labels for block in read if block.labels is not None]), labels)
    if name.endswith(".npz"):
        assert source(*files).expected() == 10
    else:
        assert source(*files).expected() >= 10
    assert all(block.labels is None for block in source(*files).blocks())


def test_keys_as_bytes(tmp_path: Path) -> None:
    path = write_batch(tmp_path / "a", {b"data": flat(pictures(2)), b"labels": [0, 1], b"filenames": [b"x", b"y"]})
    np.testing.assert_array_equal(next(source(path, classes=2).blocks()).images, pictures(2))


def test_resized(tmp_path: Path) -> None:
    images = np.full((5, 32, 32, 3), (1, 2, 3), dtype=np.uint8)
    block = next(source(write_batch(tmp_path / "a.npz", {"data": flat(images)}), size=48).blocks())
    assert block.images.shape == (5, 48, 48, 3)
    assert (block.images == (1, 2, 3)).all()


def test_which_files_make_a_set(tmp_path: Path) -> None:
    assert batch_files(tmp_path, ["b_1", "b_2"]) == []
    one, two = write_batch(tmp_path / "deep" / "b_1", {}), write_batch(tmp_path / "deep" / "b_2.npz", {})
    assert batch_files(tmp_path, ["b_1", "b_2"]) == [one, two]
    with pytest.raises(UserError, match="lacks the batch 'b_3', though it has others"):
        batch_files(tmp_path, ["b_1", "b_2", "b_3"])


@pytest.mark.parametrize("name", ["a.npz", "a"])
@pytest.mark.parametrize(
    ("content", "match"),
    [
        ({"labels": [1]}, "must hold 'data' as uint8 .*not NoneType"),
        ({"data": np.zeros((2, 12288), dtype=np.uint8)}, r"must hold 'data' as uint8 .*not uint8 \[2, 12288\]"),
        ({"data": np.zeros((2, 3072))}, r"must hold 'data' as uint8 .*not float64 \[2, 3072\]"),
        ({"data": np.zeros((0, 3072), dtype=np.uint8)}, r"must hold 'data' as uint8 .*not uint8 \[0, 3072\]"),
        ({"data": np.uint8(3)}, "must hold 'data' as uint8 .*not uint8"),
        ({"data": flat(pictures(2))}, "must hold 'labels', one integer for each of its 2 images"),
        ({"data": flat(pictures(2)), "labels": [1]}, "must hold 'labels'"),
        ({"data": flat(pictures(2)), "labels": ["a", "b"]}, "must hold 'labels'"),
        ({"data": flat(pictures(2)), "labels": [1, 10]}, r"has labels from 1 to 10; they must lie in 0\.\.9"),
        ({"data": flat(pictures(2)), "labels": [-1, 0]}, "has labels from -1 to 0"),
    ],
)
def test_wrong_contents(tmp_path: Path, name: str, content: dict[str, Any], match: str) -> None:
    assert re.search(rf"/{name} {match}", refused(source(write_batch(tmp_path / name, content), classes=10)))


def test_a_ragged_list_of_labels(tmp_path: Path) -> None:
    assert re.search(
        "labels",
        refused(source(write_batch(tmp_path / "a", {"data": flat(pictures(2)), "labels": [[1], 2]}), classes=10)),
    )


def test_a_pickle_of_something_else(tmp_path: Path) -> None:
    assert re.search("/a holds a list, not a dictionary", refused(source(write_batch(tmp_path / "a", [1, 2]))))  # type: ignore[arg-type]


def test_truncated(tmp_path: Path) -> None:
    for name in ("a.npz", "a"):
        path = cut(write_batch(tmp_path / name, {"data": flat(pictures(9))}))
        assert re.search(rf"/{name} .*fetch it again", refused(source(path)))


def test_corrupt_npz(tmp_path: Path) -> None:
    path = write_batch(tmp_path / "a.npz", {"data": flat(pictures(9))})
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert re.search(r"/a\.npz cannot be read as \.npz \(Bad CRC", refused(source(path)))


def test_an_npz_that_would_run_code_does_not(tmp_path: Path) -> None:
    class Runs:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "created"),)

    path = write_batch(tmp_path / "a.npz", {"data": np.array([Runs()], dtype=object)})
    assert re.search(r"/a\.npz cannot be read as \.npz \(Object arrays cannot be loaded", refused(source(path)))
    assert not (tmp_path / "created").exists()
