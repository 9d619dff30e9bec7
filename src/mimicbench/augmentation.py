"""Shifts, rotations and flips, for a whole chunk at once on its device."""

import math
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (the field's usual name)
from pydantic import ConfigDict, Field, NonNegativeInt
from pydantic.dataclasses import dataclass
from torch import Tensor

from mimicbench.counter_rng import uniforms_at
from mimicbench.hardware import to_device


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Augmentation:
    """Random small changes to images that keep their labels (paper, section 3.5).

    Attributes:
        shift: Largest shift in each direction, in whole pixels.
        rotate: Largest rotation in each direction, in degrees.
        flip: Mirror half the images left to right.
    """

    shift: NonNegativeInt
    rotate: Annotated[float, Field(ge=0, le=180)]
    flip: bool

    def __call__(self, images: Tensor, seed: int, epoch: int, places: np.ndarray) -> Tensor:
        """Change the images of one chunk.

        What happens to a sample is a function of (seed, epoch, its place in the epoch), whatever the chunk.

        Args:
            images: float [B, C, H, W] in [0, 1].
            seed: The run's seed.
            epoch: The epoch's number.
            places: int64 [B], those of the images in their epoch, ascending.

        Returns:
            float [B, C, H, W] in [0, 1], channels last in memory. Pixels from beyond the border mirror those within.
            Rotated images are interpolated by cubic convolution, which blurs them less than the bilinear kind.
        """
        count, _, height, width = images.shape
        draws = uniforms_at("augmentation", seed, epoch, places, 4)
        shifts = np.floor(draws[:, :2] * (2 * self.shift + 1)) - self.shift
        angle = (2 * draws[:, 2] - 1) * math.radians(self.rotate)
        mirror = np.where(draws[:, 3] < 0.5, -1.0, 1.0) if self.flip else np.ones(count)

        # affine_grid works in coordinates of [-1, 1]: a pixel is 2 / size wide.
        theta = np.empty((count, 2, 3), dtype=np.float32)
        theta[:, 0, 0] = np.cos(angle) * mirror
        theta[:, 0, 1] = -np.sin(angle)
        theta[:, 1, 0] = np.sin(angle) * mirror
        theta[:, 1, 1] = np.cos(angle)
        theta[:, :, 2] = shifts * (2 / width, 2 / height)
        grid = F.affine_grid(to_device(theta, images.device), list(images.shape), align_corners=False)
        mode = "bicubic" if self.rotate else "nearest"  # shifts and flips alone meet whole pixels
        changed = F.grid_sample(images.contiguous(), grid, mode, padding_mode="reflection", align_corners=False)
        return changed.clamp_(0, 1).contiguous(memory_format=torch.channels_last)
