"""What training images are made of."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Draws:
    """Which pool images make up each training image, and how much of each.

    Attributes:
        index: int64 [B, n], numbers of pool images.
        weight: float64 [B, n], not negative; rows sum to 1.
    """

    index: np.ndarray
    weight: np.ndarray

    def __getitem__(self, rows: np.ndarray | slice) -> "Draws":
        return Draws(self.index[rows], self.weight[rows])
