"""CIFAR-10 (Krizhevsky, 2009): 50,000 train and 10,000 test images of 32x32 pixels in ten classes."""

import tempfile
from pathlib import Path

from filelock import FileLock

from mimicbench.errors import UserError
from mimicbench.images.batches import BatchImages, batch_files
from mimicbench.images.files import data_folder
from mimicbench.images.parquet import ParquetImages, split_files
from mimicbench.images.source import Source
from mimicbench.paths import Paths
from mimicbench.tasks.decoded import decoded
from mimicbench.tasks.task import Task

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_BATCHES = {"train": [f"data_batch_{number}" for number in range(1, 6)], "test": ["test_batch"]}
_ARCHIVE = "cifar-10-batches-py"


def cifar10(paths: Paths, *, folder: str, download: bool) -> Task:
    """CIFAR-10 from a Hugging Face parquet folder or from ``cifar-10-batches-py``, whichever the folder holds.

    Args:
        paths: Where data sets and caches lie.
        folder: The folder of the data set, below ``paths.data_dir``.
        download: Fetch the original archive (170 MB, checked by its MD5) if the folder holds neither.

    Returns:
        10 classes; images uint8 [50000, 32, 32, 3] and [10000, 32, 32, 3] if the files are complete.

    Raises:
        UserError: There are no such files, they cannot be read, or the download failed.
    """
    if download:
        _download(paths.data_dir / folder)
    place = data_folder(paths, folder, "task.folder")
    train, test = (_source(place, split) for split in ("train", "test"))
    return decoded(CLASSES, train, test, paths.cache_dir)


def _source(place: Path, split: str) -> Source:
    name = f"cifar10-{split}"
    if parquet := split_files(place, split):
        return ParquetImages(name, place, tuple(parquet), stored=32, size=32, classes=len(CLASSES))
    if batches := batch_files(place, _BATCHES[split]):
        return BatchImages(name, place, tuple(batches), size=32, classes=len(CLASSES))
    raise UserError(
        f"{place} holds no {split} images of CIFAR-10; put {_ARCHIVE}/ or {split}-*.parquet there, "
        "or let task.download=true fetch them."
    )


def _download(place: Path) -> None:
    if _present(place):
        return
    from torchvision.datasets import CIFAR10  # takes a second to import, and hardly any run needs it
    from torchvision.datasets.utils import download_and_extract_archive

    try:
        place.mkdir(parents=True, exist_ok=True)
        # Unpacked beside its place and moved there whole, so that an interrupted download leaves nothing behind.
        with FileLock(place / ".download.lock"), tempfile.TemporaryDirectory(dir=place, prefix=".download-") as beside:
            if not _present(place):
                download_and_extract_archive(CIFAR10.url, beside, filename=CIFAR10.filename, md5=CIFAR10.tgz_md5)
                Path(beside, _ARCHIVE).replace(place / _ARCHIVE)
    except (OSError, RuntimeError) as error:  # RuntimeError: the MD5 is wrong
        raise UserError(
            f"CIFAR-10 could not be downloaded to {place} ({error}); put {_ARCHIVE}/ there yourself."
        ) from None


def _present(place: Path) -> bool:
    return bool(split_files(place, "train") or batch_files(place, _BATCHES["train"]))
