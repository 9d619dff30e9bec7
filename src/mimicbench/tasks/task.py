"""What a task is: the mentor's classes and its own train and test images."""

from dataclasses import dataclass

import numpy as np

from mimicbench.errors import UserError


@dataclass(frozen=True)
class LabelledImages:
    """Images with their classes.

    Attributes:
        images: uint8 [N, H, W, C], RGB, values 0..255; usually a memory map of the cache.
        labels: int64 [N], values 0..K-1.
    """

    images: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Task:
    """What a mentor does. The student never trains on any of it.

    Attributes:
        classes: The K class names, in the order of their labels.
        training: What the mentor learns from; None where nobody here may see that.
        test: What mentor and student are compared on.
        fingerprint: Names this content: equal for equal images and labels, and only for those.
    """

    classes: tuple[str, ...]
    training: LabelledImages | None
    test: LabelledImages
    fingerprint: str

    @property
    def train(self) -> LabelledImages:
        """What the mentor learns from.

        Raises:
            UserError: There is none.
        """
        if self.training is None:
            raise UserError(
                "The task's training images are needed, and it holds test images alone: choose a mentor that is there "
                "(mentor=onnx, mentor=http, mentor.checkpoint=…), and an oracle and a pool that are not made of them."
            )
        return self.training

    @property
    def size(self) -> int:
        """Height and width of an image, in pixels."""
        return int(self.test.images.shape[1])
