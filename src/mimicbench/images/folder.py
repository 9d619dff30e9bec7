"""Trees of image files."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from mimicbench.images import decode
from mimicbench.images.files import stamps
from mimicbench.images.source import Block

_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
_FILES = 1024  # files a block


def image_files(folder: Path) -> list[Path]:
    """All image files under a folder, known by their endings, sorted; hidden files and folders are left out.

    Links to folders are followed, and no folder is entered twice.
    """
    found: list[str] = []
    entered: set[str] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        if (real := os.path.realpath(place)) in entered:
            folders.clear()
            continue
        entered.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        images = (name for name in names if name.lower().endswith(_ENDINGS) and not name.startswith("."))
        found.extend(f"{place}/{name}" for name in images)
    return [Path(path) for path in sorted(found)]


@dataclass(frozen=True)
class FolderImages:
    """The images of a tree: of each the largest centred square, resized.

    Attributes:
        name: Readable name.
        folder: What the files' names are relative to.
        files: The image files, in order.
        size: Height and width to resize to.
        convert: Turn grey, transparent and other images into RGB instead of refusing them.
        section: ``task`` or ``pool``, the configuration section that ``convert`` comes from.
        labels: The class of each file, if it has one.
    """

    name: str
    folder: Path
    files: tuple[Path, ...]
    size: int
    convert: bool
    section: str
    labels: tuple[int, ...] | None = None

    def identity(self) -> list[str]:
        """As in :class:`~mimicbench.images.source.Source`."""
        return ["folder", f"{self.size} {self.convert}", str(self.labels), *stamps(self.files, self.folder)]

    def expected(self) -> int:
        """As in :class:`~mimicbench.images.source.Source`."""
        return len(self.files)

    def blocks(self) -> Iterator[Block]:
        """As in :class:`~mimicbench.images.source.Source`."""
        for start in range(0, len(self.files), _FILES):
            part = slice(start, start + _FILES)
            images = decode.decode_all(self.files[part], self._image, self.size)
            yield Block(images, None if self.labels is None else np.array(self.labels[part], dtype=np.int64))

    def _image(self, path: Path) -> Image.Image:
        advice = None if self.convert else f"{self.section}.convert=true turns such images into RGB"
        return decode.fit(decode.read(path, str(path), refuse_with=advice), self.size)
