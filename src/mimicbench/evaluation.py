"""The task's test images, as Lightning's evaluation loop takes them."""

from collections.abc import Iterator

from torch import Tensor

from mimicbench.rank import ALONE, Rank
from mimicbench.resident import ResidentImages, answered_at_once

Batch = tuple[Tensor, Tensor, Tensor]
"""Images, float [B, C, H, W] in [0, 1]; their classes, int64 [B]; the mentor's answers, int64 [B]."""


class Evaluation:
    """Test images with their classes and the mentor's answers. Nothing is chosen or trained by them.

    Each rank walks through its own part of them.

    Args:
        images: N test images.
        labels: int64 [N], their classes.
        mentor_labels: int64 [N], the classes that the mentor gives them.
        rank: This process among those that evaluate together.
    """

    def __init__(self, images: ResidentImages, labels: Tensor, mentor_labels: Tensor, rank: Rank = ALONE) -> None:
        self._images = images
        self.labels = labels.to(images.device)
        self._mentor_labels = mentor_labels.to(images.device)
        self._start, self._stop = rank.part(len(images))
        self._size = answered_at_once(images.device)

    def all_images(self) -> Iterator[Tensor]:
        """Those of all ranks, as :meth:`__iter__` gives them, without their classes."""
        return self._images.batches()

    def __len__(self) -> int:
        return -(-(self._stop - self._start) // self._size)

    def __iter__(self) -> Iterator[Batch]:
        own = (classes[self._start : self._stop].split(self._size) for classes in (self.labels, self._mentor_labels))
        yield from zip(self._images.batches(self._start, self._stop), *own, strict=True)
