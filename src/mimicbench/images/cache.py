"""Decoded once: a source of images becomes a memory-mapped uint8 ``.npy`` named by what it holds.

The array is written block by block to a temporary name and renamed when complete, so a run that fails leaves nothing
that another could mistake for a cache, and memory never holds more than one block. A lock makes jobs that start side
by side decode once.
"""

import io
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from filelock import FileLock
from tqdm import tqdm

from mimicbench.errors import UserError
from mimicbench.files import writing
from mimicbench.fingerprint import fingerprint
from mimicbench.images.content import Content
from mimicbench.images.source import Source

_READERS = "1"  # raise it when a reader decodes the same files to other pixels, so that old caches are not used


@dataclass(frozen=True)
class CachedImages:
    """An opened cache.

    Attributes:
        images: uint8 [N, S, S, 3], RGB, values 0..255; a memory map that copies on write, so ``torch.from_numpy``
            takes it, and nothing written to it reaches the file.
        labels: int64 [N], or None.
        fingerprint: Names images and labels by their content alone.
    """

    images: np.ndarray
    labels: np.ndarray | None
    fingerprint: str


def load(source: Source, cache_dir: Path) -> CachedImages:
    """Open the source's cache; decode the source first if it has none.

    Args:
        source: Where the images come from.
        cache_dir: The cache lies in its ``images/``.

    Returns:
        All images of the source.

    Raises:
        UserError: The source cannot be read, or the cache cannot be written.
    """
    entry = _Entry(cache_dir / "images", f"{_slug(source.name)}-{fingerprint(_READERS, source.identity())}")
    if not entry.complete():
        expected = source.expected()
        # Sources raise UserError for their own files, so an OSError comes from the cache's.
        with writing(entry.folder, "paths.cache_dir"), FileLock(entry.path(".lock")):
            if not entry.complete():  # another job may have decoded it while this one waited
                _decode(source, expected, entry)
    return entry.open()


@dataclass(frozen=True)
class _Entry:
    """The files of one cache: ``.npy`` (images), ``.labels.npy`` and ``.json`` (fingerprint)."""

    folder: Path
    stem: str

    def path(self, suffix: str) -> Path:
        return self.folder / (self.stem + suffix)

    def complete(self) -> bool:
        return self.path(".npy").exists()  # renamed last of all

    def open(self) -> CachedImages:
        try:
            about = json.loads(self.path(".json").read_text())
            labels = np.load(self.path(".labels.npy")) if about["labelled"] else None
            return CachedImages(np.load(self.path(".npy"), mmap_mode="c"), labels, about["fingerprint"])
        except (OSError, ValueError, KeyError) as error:
            raise UserError(
                f"The image cache {self.path('.npy')} is damaged ({error}); delete it, and it will be decoded again."
            ) from None


def _decode(source: Source, expected: int, entry: _Entry) -> None:
    part = entry.path(".npy.part")
    try:
        with part.open("wb") as file, tqdm(total=expected, desc=f"Decoding {source.name}", unit=" images") as bar:
            labels, name = _write(source, file, bar.update)
        if labels is not None:
            np.save(entry.path(".labels.npy"), labels)
        entry.path(".json").write_text(json.dumps({"fingerprint": name, "labelled": labels is not None}))
        part.replace(entry.path(".npy"))
    finally:
        part.unlink(missing_ok=True)
        if not entry.complete():
            entry.path(".labels.npy").unlink(missing_ok=True)
            entry.path(".json").unlink(missing_ok=True)


def _write(source: Source, file: BinaryIO, advance: Callable[[int], object]) -> tuple[np.ndarray | None, str]:
    content = Content()
    shape: tuple[int, ...] = (0,)
    labels = []
    for block in source.blocks():
        shape = (shape[0] + len(block.images), *block.images.shape[1:])
        if file.tell() == 0:
            file.write(_header(shape))
        file.write(np.ascontiguousarray(block.images).data)
        content.add(block)
        if block.labels is not None:
            labels.append(block.labels)
        advance(len(block.images))
    file.seek(0)
    file.write(_header(shape))  # now with the true number of images
    file.flush()
    os.fsync(file.fileno())
    return np.concatenate(labels) if labels else None, content.fingerprint()


def _header(shape: tuple[int, ...]) -> bytes:
    # NumPy pads it so that it keeps its length when the first axis grows (numpy.lib.format).
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.]+", "-", name).strip("-.")
