"""Images that stay where the training runs, as bytes, and become floats a chunk at a time."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor


def answered_at_once(device: torch.device) -> int:
    """How many images a network should answer at a time.

    On CPUs more were at most a tenth faster (``benchmarks.throughput``), and take more memory; few do not fill a GPU.
    """
    return 128 if device.type == "cpu" else 4096


class ResidentImages:
    """A set of images on the training device.

    On the CPU this is the memory map itself: nothing is copied. Elsewhere the bytes are copied once.

    Args:
        images: uint8 [N, H, W, C].
        device: Where the training runs.
    """

    def __init__(self, images: np.ndarray, device: torch.device) -> None:
        self._pixels = torch.from_numpy(images).to(device)

    def __len__(self) -> int:
        return len(self._pixels)

    def batches(self, start: int = 0, stop: int | None = None) -> Iterator[Tensor]:
        """The images ``start..stop-1`` in order, as :meth:`take` gives them, :func:`answered_at_once` at a time."""
        stop = len(self) if stop is None else stop
        for index in torch.arange(start, stop, device=self.device).split(answered_at_once(self.device)):
            yield self.take(index)

    @property
    def device(self) -> torch.device:
        """Where the images are."""
        return self._pixels.device

    def take(self, index: Tensor) -> Tensor:
        """Images by number.

        Args:
            index: int64 [B], on any device, values 0..N-1.

        Returns:
            float32 [B, C, H, W] in [0, 1], channels last in memory.
        """
        return self._bytes(index).float().div_(255).permute(0, 3, 1, 2)

    def blend(self, index: Tensor, weight: Tensor) -> Tensor:
        """Weighted sums of images, in pixel space.

        Args:
            index: int64 [B, n], values 0..N-1.
            weight: float32 [B, n].

        Returns:
            float32 [B, C, H, W], ``sum_j weight[:, j] * image[index[:, j]]``; in [0, 1] where the weights of a row are
            not negative and sum to 1. Channels last in memory.
        """
        scale = (weight / 255).to(self.device)[:, :, None, None, None]
        blended = torch.empty(len(index), *self._pixels.shape[1:], device=self.device)
        size = answered_at_once(self.device)  # at a time, so that what is between takes no memory worth speaking of
        for part, own, factors in zip(blended.split(size), index.split(size), scale.split(size), strict=True):
            torch.mul(self._bytes(own[:, 0]), factors[:, 0], out=part)
            for j in range(1, index.shape[1]):
                part.addcmul_(self._bytes(own[:, j]).float(), factors[:, j])
        return blended.permute(0, 3, 1, 2)

    def _bytes(self, index: Tensor) -> Tensor:
        return self._pixels.index_select(0, index.to(self.device))
