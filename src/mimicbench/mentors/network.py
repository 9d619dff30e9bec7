"""A network of ours as a mentor."""

import torch
from torch import Tensor, nn

from mimicbench.fingerprint import content, fingerprint
from mimicbench.hardware import Hardware
from mimicbench.mentors.folding import folded
from mimicbench.mentors.mentor import Mentor
from mimicbench.resident import answered_at_once


class NetworkMentor(Mentor):
    """A network that answers from a copy in evaluation mode, which takes no part in autograd, with batch norm folded.

    Args:
        network: Images, float [B, C, H, W] in [0, 1], to logits, float [B, K]; it owns its normalisation.
        classes: The K class names.
        hardware: Where it runs, and in which arithmetic.
    """

    network: nn.Module

    def __init__(self, network: nn.Module, classes: tuple[str, ...], hardware: Hardware) -> None:
        self.network = network
        self.device = hardware.device
        self._network = hardware.fast(folded(network).to(hardware.device))
        self._hardware = hardware
        self.classes = classes
        self.fingerprint = fingerprint(content(network), hardware.device.type, hardware.precision)

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """The softmax of the network's scores."""
        with self._hardware.autocast():
            answers = [self._network(batch).float() for batch in images.split(answered_at_once(images.device))]
        return torch.cat(answers).softmax(1)
