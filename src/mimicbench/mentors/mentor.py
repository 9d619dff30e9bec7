"""The black box."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from mimicbench.mentors.replies import Account
from mimicbench.resident import ResidentImages


class Mentor(ABC):
    """A classifier that answers images with probabilities, and does nothing else.

    Attributes:
        classes: The K class names.
        device: Where it takes images and leaves answers.
        fingerprint: Names what answers: equal where the same images get the same answers.
        names_class_only: Whether all it says is a class: then each answer is one-hot.
        elsewhere: Whether it answers on other processors than those that a student learns on.
        network: Its weights, for its owner; None where they are not to be seen.
    """

    classes: tuple[str, ...]
    device: torch.device
    fingerprint: str
    names_class_only: bool = False
    elsewhere: bool = False
    network: nn.Module | None = None

    def answers(self, images: ResidentImages) -> Tensor:
        """To a whole set of images: float32 [N, K], on the CPU."""
        return torch.cat([self(batch) for batch in images.batches()]).cpu()

    def paid_by(self, job: str) -> None:  # noqa: B027 (most cost nothing)
        """Say which job is charged from now on, where replies cost money."""

    def hang_up(self) -> None:  # noqa: B027 (most answer at once)
        """Answer nothing more, where answering takes long or costs money: whoever waits is told so."""

    @property
    def account(self) -> Account | None:
        """What this job has had of it, where replies cost money."""
        return None

    def queried(self, images: Tensor) -> Tensor:
        """As calling it, for a student to learn from: where replies cost money, it is the attacker's."""
        return self(images)

    @abstractmethod
    def __call__(self, images: Tensor) -> Tensor:
        """Class probabilities.

        Args:
            images: float [B, C, H, W] in [0, 1].

        Returns:
            float32 [B, K], rows that sum to 1, without gradients.
        """
