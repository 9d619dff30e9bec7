"""Names for content: equal for equal images and labels, wherever they lie and however they were stored."""

from hashlib import blake2b

import numpy as np

from mimicbench.images.source import Block

_BYTES = 16


class Fingerprint:
    """Hashes blocks as they come; how the images are cut into blocks makes no difference."""

    def __init__(self) -> None:
        self._images = blake2b(digest_size=_BYTES)
        self._labels = blake2b(digest_size=_BYTES)
        self._shape: tuple[int, ...] = ()

    def add(self, block: Block) -> None:
        """Take the next images (uint8 [n, S, S, 3]) and labels (int64 [n] or None) into account."""
        self._images.update(np.ascontiguousarray(block.images).data)
        self._shape = block.images.shape[1:]
        if block.labels is not None:
            self._labels.update(np.ascontiguousarray(block.labels, dtype="<i8").data)

    def name(self) -> str:
        """The name of all that was added, 32 hexadecimal digits."""
        return combined(str(self._shape), self._images.hexdigest(), self._labels.hexdigest())


def combined(*parts: str) -> str:
    """One name, 32 hexadecimal digits, for several parts in their order."""
    return blake2b("\n".join(parts).encode(), digest_size=_BYTES).hexdigest()
