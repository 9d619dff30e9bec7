import io
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from mimicbench.errors import UserError
from mimicbench.images import parquet
from mimicbench.images.cache import load
from mimicbench.images.parquet import ParquetImages, split_files
from mimicbench.images.source import Block
from tests.making import SHARED_DATA, cut, encoded, pictures, write_parquet


def source(*files: Path, size: int = 32, classes: int | None = None) -> ParquetImages:
    return ParquetImages("test", files[0].parent, files, 32, size, classes)


def together(images: ParquetImages) -> tuple[np.ndarray, np.ndarray | None]:
    blocks = list(images.blocks())
    labels = [block.labels for block in blocks if block.labels is not None]
    return np.concatenate([block.images for block in blocks]), np.concatenate(labels) if labels else None


def everything(images: ParquetImages) -> list[Block]:
    images.expected()
    return list(images.blocks())


def refused(images: ParquetImages) -> str:
    with pytest.raises(UserError) as refusal:
        everything(images)
    return str(refusal.value)


@pytest.mark.parametrize("column", ["img", "image"])
def test_rows_come_in_order_over_blocks_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, column: str) -> None:
    monkeypatch.setattr(parquet, "_ROWS", 4)
    images, labels = pictures(15), np.arange(15) % 10
    rows = [encoded(image) for image in images]
    first = write_parquet(tmp_path / "a.parquet", rows[:10], labels[:10], column)
    second = write_parquet(tmp_path / "b.parquet", rows[10:], labels[10:], column)
    read = source(first, second, classes=10)
    assert read.expected() == 15
    read_images, read_labels = together(read)
    np.testing.assert_array_equal(read_images, images)
    np.testing.assert_array_equal(read_labels, labels)
    assert together(source(first))[1] is None


@pytest.mark.parametrize("kind", [np.uint8, np.uint64, np.int32])
def test_labels_of_any_integer_type(tmp_path: Path, kind: type[np.integer[Any]]) -> None:
    path = write_parquet(tmp_path / "a.parquet", [encoded(pictures(1)[0])] * 3, np.array([0, 9, 5], dtype=kind))
    labels = together(source(path, classes=10))[1]
    assert labels is not None
    assert labels.dtype == np.int64
    assert labels.tolist() == [0, 9, 5]


def test_a_column_of_plain_bytes(tmp_path: Path) -> None:
    images = pictures(3)
    pq.write_table(pa.table({"anything": [encoded(image) for image in images]}), tmp_path / "a.parquet")
    np.testing.assert_array_equal(together(source(tmp_path / "a.parquet"))[0], images)


def test_grey_images_become_rgb(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", [encoded(Image.new("L", (32, 32), 7))])
    assert (together(source(path))[0] == 7).all()


def test_resized(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", [encoded(np.full((32, 32, 3), 9, dtype=np.uint8))])
    images = together(source(path, size=48))[0]
    assert images.shape == (1, 48, 48, 3)
    assert (images == 9).all()


@pytest.mark.skipif(not SHARED_DATA.exists(), reason="../shared/data is not here")
@pytest.mark.parametrize("folder", ["cifar10", "imagenet32"])
def test_real_data_equals_plain_decoding(folder: str) -> None:
    path = split_files(SHARED_DATA / folder, "train")[0]
    block = next(source(path).blocks())
    (column,) = (name for name in pq.read_schema(path).names if name != "label")
    rows = next(pq.ParquetFile(path).iter_batches(100)).column(column).to_pylist()
    for row, image in zip(rows, block.images, strict=False):
        np.testing.assert_array_equal(image, np.asarray(Image.open(io.BytesIO(row["bytes"])).convert("RGB")))


@pytest.mark.skipif(not SHARED_DATA.exists(), reason="../shared/data is not here")
def test_real_data_opens_in_under_a_second_the_second_time(tmp_path: Path) -> None:
    files = tuple(split_files(SHARED_DATA / "cifar10", "test"))
    first = load(source(*files, classes=10), tmp_path)
    start = time.process_time()  # not the clock: this machine may be busy
    second = load(source(*files, classes=10), tmp_path)
    assert time.process_time() - start < 1
    assert second.images.shape == (10_000, 32, 32, 3)
    assert second.fingerprint == first.fingerprint


def test_which_files_make_a_split(tmp_path: Path) -> None:
    for name in (
        "plain/train-00000-of-00002.parquet",
        "plain/train-00001-of-00002.parquet",
        "plain/test-00000-of-00001.parquet",
        "other/train/0000.parquet",
        ".cache/train.parquet",
        "plain/training.parquet",
        "plain/._train.parquet",
        "plain/train.txt",
    ):
        write_parquet(tmp_path / name, [])
    assert [path.relative_to(tmp_path).as_posix() for path in split_files(tmp_path, "train")] == [
        "other/train/0000.parquet",
        "plain/train-00000-of-00002.parquet",
        "plain/train-00001-of-00002.parquet",
    ]
    (tmp_path / "plain/train-00000-of-00002.parquet").unlink()
    with pytest.raises(UserError, match=r"train-00000-of-00002\.parquet is missing"):
        split_files(tmp_path, "train")


def test_truncated(tmp_path: Path) -> None:
    good = write_parquet(tmp_path / "a.parquet", [encoded(pictures(1)[0])])
    bad = cut(write_parquet(tmp_path / "b.parquet", [encoded(image) for image in pictures(9)]))
    with pytest.raises(UserError, match=r"b\.parquet cannot be read as parquet \(.+\); fetch it again"):
        source(good, bad).expected()  # before anything is decoded


def test_corrupt_in_the_middle(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", [encoded(image) for image in pictures(50)])
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 1000] = bytes(1000)
    path.write_bytes(content)
    assert re.search(r"a\.parquet", refused(source(path)))


def test_no_parquet_at_all(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_text("version https://git-lfs.github.com/spec/v1")
    assert re.search(r"a\.parquet cannot be read as parquet", refused(source(tmp_path / "a.parquet")))


@pytest.mark.parametrize(
    ("columns", "match"),
    [
        ({"text": ["a"], "label": [1]}, "has no image columns among text, label"),
        ({"a": [b""], "b": [b""], "label": [1]}, "has 2 image columns among a, b, label"),
        ({"img": [b""]}, "has no integer column 'label' among img"),
        ({"img": [b""], "label": ["cat"]}, "has no integer column 'label'"),
    ],
)
def test_wrong_columns(tmp_path: Path, columns: dict[str, Any], match: str) -> None:
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    assert re.search(rf"a\.parquet {match}", refused(source(tmp_path / "a.parquet", classes=10)))


@pytest.mark.parametrize(
    ("row", "match"),
    [
        (None, r"Row 1 of .*a\.parquet has no image bytes in column 'image'"),
        (b"no image", r"Row 1 of .*a\.parquet cannot be decoded as an image \(unknown format\)"),
        (encoded(pictures(1, size=64)[0]), r"Row 1 of .*a\.parquet is 64x64 pixels where 32x32 are expected"),
        (encoded(pictures(1)[0])[:-100], r"Row 1 of .*a\.parquet cannot be decoded as an image"),
    ],
)
def test_wrong_rows(tmp_path: Path, row: bytes | None, match: str) -> None:
    assert re.search(match, refused(source(write_parquet(tmp_path / "a.parquet", [encoded(pictures(1)[0]), row]))))


@pytest.mark.parametrize("label", [-1, 10, None])
def test_wrong_labels(tmp_path: Path, label: int | None) -> None:
    rows = [encoded(image) for image in pictures(2)]
    path = write_parquet(tmp_path / "a.parquet", rows, [9, label])
    assert re.search(
        rf"Row 1 of .*a\.parquet has the label {label}; labels must lie in 0\.\.9", refused(source(path, classes=10))
    )


def test_empty(tmp_path: Path) -> None:
    schema = pa.schema({"image": pa.struct({"bytes": pa.binary(), "path": pa.string()})})
    pq.write_table(schema.empty_table(), tmp_path / "a.parquet")
    assert re.search(r"a\.parquet holds no rows", refused(source(tmp_path / "a.parquet")))
