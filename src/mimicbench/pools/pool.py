"""What a pool is: the attacker's unlabelled images."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pool:
    """The attacker's unlabelled images.

    Attributes:
        images: uint8 [N, H, W, C], RGB, values 0..255; usually a memory map of the cache.
        fingerprint: Names this content: equal for equal images, and only for those.
    """

    images: np.ndarray
    fingerprint: str

    def __len__(self) -> int:
        return len(self.images)
