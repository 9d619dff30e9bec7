import hashlib
import tarfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from mimicbench.errors import UserError
from mimicbench.images.parquet import ParquetImages
from mimicbench.tasks.cifar10 import cifar10
from tests.making import SHARED_DATA, cut, encoded, flat, make_paths, pictures, write_batch, write_parquet

IMAGES = pictures(12)
LABELS = np.arange(12) % 10


def write_batches(folder: Path) -> None:
    """Two images in each of the six batches; the last is the test batch."""
    for index, name in enumerate([*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]):
        rows = slice(2 * index, 2 * index + 2)
        content = {b"data": flat(IMAGES[rows]), b"labels": LABELS[rows].tolist(), b"batch_label": name.encode()}
        write_batch(folder / name, content)


def test_batches_and_parquet_are_the_same_task(tmp_path: Path) -> None:
    paths = make_paths(tmp_path)
    write_batches(paths.data_dir / "pickles/cifar-10-batches-py")
    for split, rows in (("train", slice(0, 10)), ("test", slice(10, 12))):
        file = paths.data_dir / f"parquet/plain_text/{split}-00000-of-00001.parquet"
        write_parquet(file, [encoded(image) for image in IMAGES[rows]], LABELS[rows], "img")
    tasks = [cifar10(paths, folder=folder, download=False) for folder in ("pickles", "parquet")]
    for task in tasks:
        np.testing.assert_array_equal(task.train.images, IMAGES[:10])
        np.testing.assert_array_equal(task.train.labels, LABELS[:10])
        np.testing.assert_array_equal(task.test.images, IMAGES[10:])
        np.testing.assert_array_equal(task.test.labels, LABELS[10:])
        assert task.classes[3] == "cat"
    assert tasks[0].fingerprint == tasks[1].fingerprint
    here = cifar10(paths, folder="pickles/cifar-10-batches-py", download=False)  # the folder itself may be named
    assert here.fingerprint == tasks[0].fingerprint


def test_second_start_reads_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = make_paths(tmp_path)
    write_batches(paths.data_dir / "cifar10")
    first = cifar10(paths, folder="cifar10", download=False)
    monkeypatch.setattr("mimicbench.images.batches.unpickle", None)
    assert cifar10(paths, folder="cifar10", download=False).fingerprint == first.fingerprint


@pytest.mark.skipif(not SHARED_DATA.exists(), reason="../shared/data is not here")
def test_real_labels_stand_for_the_right_classes() -> None:
    file = next((SHARED_DATA / "cifar10").rglob("test-*.parquet"))
    images = ParquetImages("test", file.parent, (file,), 32, 32, 10)
    labels = np.concatenate([block.labels for block in images.blocks() if block.labels is not None])
    np.testing.assert_array_equal(np.bincount(labels), 1000)


def test_nothing_there(tmp_path: Path) -> None:
    paths = make_paths(tmp_path)
    with pytest.raises(UserError, match=r"data/cifar10 does not exist; .*task\.folder"):
        cifar10(paths, folder="cifar10", download=False)
    (paths.data_dir / "cifar10").mkdir()
    with pytest.raises(UserError, match=r"cifar10 holds no train images of CIFAR-10; .*task\.download=true"):
        cifar10(paths, folder="cifar10", download=False)


def test_half_of_it_there(tmp_path: Path) -> None:
    paths = make_paths(tmp_path)
    write_batches(paths.data_dir / "cifar10")
    (paths.data_dir / "cifar10/test_batch").unlink()
    with pytest.raises(UserError, match="holds no test images of CIFAR-10"):
        cifar10(paths, folder="cifar10", download=False)
    (paths.data_dir / "cifar10/data_batch_3").unlink()
    with pytest.raises(UserError, match="lacks the batch 'data_batch_3'"):
        cifar10(paths, folder="cifar10", download=False)
    assert not paths.cache_dir.exists()


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A small CIFAR-10 archive where torchvision looks for the real one, on a server of this machine."""
    from torchvision.datasets import CIFAR10

    write_batches(tmp_path / "made/cifar-10-batches-py")
    file = tmp_path / "served" / CIFAR10.filename
    file.parent.mkdir()
    with tarfile.open(file, "w:gz") as tar:
        tar.add(tmp_path / "made/cifar-10-batches-py", "cifar-10-batches-py")
    monkeypatch.setattr(CIFAR10, "tgz_md5", hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest())
    handler = partial(SimpleHTTPRequestHandler, directory=str(file.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        monkeypatch.setattr(CIFAR10, "url", f"http://127.0.0.1:{server.server_port}/{CIFAR10.filename}")
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield file
        server.shutdown()
        thread.join()


def test_download(tmp_path: Path, served: Path) -> None:
    paths = make_paths(tmp_path)
    task = cifar10(paths, folder="cifar10", download=True)
    np.testing.assert_array_equal(task.test.images, IMAGES[10:])
    served.unlink()
    assert cifar10(paths, folder="cifar10", download=True).fingerprint == task.fingerprint  # not fetched again


@pytest.mark.parametrize("fault", ["cut short", "gone"])
def test_a_download_that_fails_leaves_nothing(tmp_path: Path, served: Path, fault: str) -> None:
    cut(served) if fault == "cut short" else served.unlink()
    paths = make_paths(tmp_path)
    with pytest.raises(
        UserError, match=r"CIFAR-10 could not be downloaded to .*cifar10 \(.+\); put cifar-10-batches-py"
    ):
        cifar10(paths, folder="cifar10", download=True)
    assert not [path for path in (paths.data_dir / "cifar10").iterdir() if path.suffix != ".lock"]
