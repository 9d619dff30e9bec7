"""The black box."""

import torch
from torch import Tensor, nn

from mimicbench.fingerprint import content, fingerprint
from mimicbench.hardware import Hardware
from mimicbench.mentors.folding import folded
from mimicbench.resident import answered_at_once


class Mentor:
    """A classifier that answers images with probabilities, and does nothing else.

    It answers from a copy of the network in evaluation mode that takes no part in autograd, with batch norm folded.

    Args:
        network: Images, float [B, C, H, W] in [0, 1], to logits, float [B, K]; it owns its normalisation.
        classes: The K class names.
        hardware: Where it runs, and in which arithmetic.
    """

    def __init__(self, network: nn.Module, classes: tuple[str, ...], hardware: Hardware) -> None:
        self.network = network
        """As it was trained, for its owner, who may look into it."""
        self.device = hardware.device
        """Where it answers."""
        self._network = hardware.fast(folded(network).to(hardware.device))
        self._hardware = hardware
        self.classes = classes
        self.fingerprint = fingerprint(content(network), hardware.device.type, hardware.precision)
        """Names what answers: equal for equal weights in equal arithmetic."""

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Class probabilities.

        Args:
            images: float [B, C, H, W] in [0, 1].

        Returns:
            float32 [B, K], rows that sum to 1.
        """
        with self._hardware.autocast():
            answers = [self._network(batch).float() for batch in images.split(answered_at_once(images.device))]
        return torch.cat(answers).softmax(1)
