"""What a source of images is: files that can be decoded into blocks of pixels."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Block:
    """A few thousand images in a row of a source.

    Attributes:
        images: uint8 [n, S, S, 3], RGB, values 0..255; the same S in every block of a source.
        labels: int64 [n]; None where the source has no labels, in all its blocks.
    """

    images: np.ndarray
    labels: np.ndarray | None = None


class Source(Protocol):
    """Images that are still to be decoded. It is cheap to make one; only :meth:`blocks` does the work."""

    @property
    def name(self) -> str:
        """A readable name, for the cache's file and the progress bar."""

    def identity(self) -> list[str]:
        """Everything that decides pixels and labels: equal identities decode to equal blocks.

        It tells files apart by relative name, size and time, so it costs no more than looking at the folder.
        """

    def expected(self) -> int:
        """How many images there are, for the progress bar; may be a little too high."""

    def blocks(self) -> Iterator[Block]:
        """Decode, in order.

        Raises:
            UserError: A file cannot be read, or holds something else than it should; the sentence names it.
        """
