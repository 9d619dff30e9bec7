"""The batch files of CIFAR-10 and of down-sampled ImageNet: one array of flat images a file, pickled or ``.npz``.

Both hold ``data``, uint8 [N, 3072], each row 1,024 red values, then green, then blue (row-major, 32x32), and
``labels``, a list of N integers.
"""

import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mimicbench.errors import UserError
from mimicbench.images import decode
from mimicbench.images.files import below, stamps
from mimicbench.images.source import Block
from mimicbench.images.unpickling import unpickle

_STORED = 32
_VALUES = 3 * _STORED * _STORED
_ROWS = 4096  # rows a block


def batch_files(folder: Path, names: Sequence[str]) -> list[Path]:
    """The batches of those names in or under a folder, as ``.npz`` or, without an ending, as pickles.

    Args:
        folder: Where to look.
        names: All batches that make up the set.

    Returns:
        One file a name, in their order; empty if there are none at all.

    Raises:
        UserError: Some are there, and one is missing.
    """
    found = [(below(folder, name + ".npz") + below(folder, name))[:1] for name in names]
    if not any(found):
        return []
    for name, files in zip(names, found, strict=True):
        if not files:
            raise UserError(f"{folder} lacks the batch '{name}', though it has others; fetch the data set again.")
    return [files[0] for files in found]


@dataclass(frozen=True)
class BatchImages:
    """The images of batch files.

    Attributes:
        name: Readable name.
        folder: What the files' names are relative to.
        files: The batches, in order.
        size: Height and width to resize to.
        classes: How many classes ``labels`` tells apart; None leaves them unread.
    """

    name: str
    folder: Path
    files: tuple[Path, ...]
    size: int
    classes: int | None = None

    def identity(self) -> list[str]:
        """As in :class:`~mimicbench.images.source.Source`."""
        return ["batches", f"{self.size} {self.classes}", *stamps(self.files, self.folder)]

    def expected(self) -> int:
        """As in :class:`~mimicbench.images.source.Source`; guesses from the sizes of the files."""
        return sum(map(_rows, self.files))

    def blocks(self) -> Iterator[Block]:
        """As in :class:`~mimicbench.images.source.Source`; holds one file's array at a time."""
        for path in self.files:
            yield from self._blocks(path)

    def _blocks(self, path: Path) -> Iterator[Block]:
        content = _npz(path) if path.suffix == ".npz" else _pickle(path)
        data = _data(content, path)
        labels = self._labels(content, path) if self.classes else None
        for start in range(0, len(data), _ROWS):
            rows = slice(start, start + _ROWS)
            images = data[rows].reshape(-1, 3, _STORED, _STORED).transpose(0, 2, 3, 1)  # channels last
            yield Block(self._resized(images), None if labels is None else labels[rows])

    def _resized(self, images: np.ndarray) -> np.ndarray:
        if self.size == _STORED:
            return images
        return decode.decode_all(images, lambda image: decode.fit(Image.fromarray(image), self.size), self.size)

    def _labels(self, content: Mapping[str, Any], path: Path) -> np.ndarray:
        count = len(content["data"])
        try:
            labels = np.asarray(content.get("labels"))
        except ValueError:  # lists of different lengths
            labels = np.asarray(None)
        if labels.shape != (count,) or labels.dtype.kind not in "iu":
            raise UserError(f"{path} must hold 'labels', one integer for each of its {count} images; fetch it again.")
        if labels.min() < 0 or labels.max() >= (self.classes or 0):
            limits = f"0..{(self.classes or 0) - 1}"
            raise UserError(f"{path} has labels from {labels.min()} to {labels.max()}; they must lie in {limits}.")
        return labels.astype(np.int64)


def _data(content: Mapping[str, Any], path: Path) -> np.ndarray:
    data = content.get("data")
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape[1:] != (_VALUES,) or not len(data):
        found = f"{data.dtype} {list(data.shape)}" if isinstance(data, np.ndarray) else f"{type(data).__name__}"
        raise UserError(
            f"{path} must hold 'data' as uint8 [N, {_VALUES}] (32x32 pixels, red, green, blue), not {found}; "
            "put the 32x32 version of the data set there."
        )
    return data


def _pickle(path: Path) -> dict[str, Any]:
    content = unpickle(path)
    if not isinstance(content, dict):
        raise UserError(f"{path} holds a {type(content).__name__}, not a dictionary with 'data'; fetch it again.")
    return {key.decode("latin1") if isinstance(key, bytes) else str(key): value for key, value in content.items()}


def _npz(path: Path) -> dict[str, Any]:
    with _opened(path) as file:
        return {name: file[name] for name in ("data", "labels") if name in file.files}


def _rows(path: Path) -> int:
    if path.suffix != ".npz":
        return path.stat().st_size // _VALUES
    with _opened(path) as file:
        return sum(part.file_size // _VALUES for part in file.zip.filelist if part.filename == "data.npy")


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    if not zipfile.is_zipfile(path):
        raise UserError(f"{path} is no .npz archive, or it is cut short; fetch it again.")
    try:
        with np.load(path, allow_pickle=False) as file:
            yield file
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path} cannot be read as .npz ({error}); fetch it again.") from None
