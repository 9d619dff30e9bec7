"""ImageNet at 32x32 pixels (Chrabaszcz, Loshchilov & Hutter, 2017), without its labels."""

from pathlib import Path

from mimicbench.errors import UserError
from mimicbench.images.batches import BatchImages, batch_files
from mimicbench.images.cache import load
from mimicbench.images.files import below, data_folder
from mimicbench.images.parquet import ParquetImages, split_files
from mimicbench.images.source import Source
from mimicbench.paths import Paths
from mimicbench.pools.pool import Pool

_BATCHES = [f"train_data_batch_{number}" for number in range(1, 11)]


def imagenet32(paths: Paths, size: int, *, folder: str) -> Pool:
    """The train images, from the official batches or from a Hugging Face parquet folder, whichever the folder holds.

    Args:
        paths: Where data sets and caches lie.
        size: Height and width of an image, in pixels; other than 32, they are resized (bicubic).
        folder: The folder of the data set, below ``paths.data_dir``.

    Returns:
        uint8 [N, size, size, 3]; N is 1,281,167 for the official files.

    Raises:
        UserError: There are no such files, or they cannot be read.
    """
    place = data_folder(paths, folder, "pool.folder")
    cached = load(_source(place, size), paths.cache_dir)
    return Pool(cached.images, cached.fingerprint)


def _source(place: Path, size: int) -> Source:
    if batches := batch_files(place, _BATCHES):
        return BatchImages("imagenet32", place, tuple(batches), size)
    if parquet := split_files(place, "train") or below(place, "*.parquet"):
        return ParquetImages("imagenet32", place, tuple(parquet), stored=32, size=size)
    raise UserError(f"{place} holds no images of ImageNet-32; put {_BATCHES[0]} to _10 or train-*.parquet there.")
