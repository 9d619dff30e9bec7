"""A name for content: equal for equal images and labels, wherever they lie and however they were stored."""

from hashlib import blake2b

import numpy as np

from mimicbench.fingerprint import fingerprint
from mimicbench.images.source import Block


class Content:
    """Hashes blocks as they come; how the images are cut into blocks makes no difference."""

    def __init__(self) -> None:
        self._images = blake2b(digest_size=16)
        self._labels = blake2b(digest_size=16)
        self._shape: tuple[int, ...] = ()

    def add(self, block: Block) -> None:
        """Take the next images (uint8 [n, S, S, 3]) and labels (int64 [n] or None) into account."""
        self._images.update(np.ascontiguousarray(block.images).data)
        self._shape = block.images.shape[1:]
        if block.labels is not None:
            self._labels.update(np.ascontiguousarray(block.labels, dtype="<i8").data)

    def fingerprint(self) -> str:
        """Names all that was added."""
        return fingerprint(self._shape, self._images.hexdigest(), self._labels.hexdigest())
