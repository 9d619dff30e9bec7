"""A message in the weights."""

from functools import cached_property

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt
from torch import Tensor, nn

from mimicbench.counter_rng import Seed
from mimicbench.errors import UserError
from mimicbench.fingerprint import fingerprint
from mimicbench.mentors import Mentor
from mimicbench.paths import Paths
from mimicbench.tasks import Task
from mimicbench.watermarks.watermark import Share, Watermark


class Uchida(Watermark):
    """Uchida et al. 2017, "Embedding watermarks into deep neural networks".

    A message b of random bits is written into one convolution: with w̄ the mean of its weights over the filters,
    ``λ Σ_j BCE(σ((X w̄)_j), b_j)`` is added to the mentor's loss, X a matrix of N(0, 1) from the key. Whoever has the
    weights reads ``(X w̄)_j > 0``; of a network without the mark half of the bits are right. Where a suspect's layer has
    another shape, or there is none, the test is undefined.

    Args:
        task: What the mentor does.
        paths: Not used.
        key: The owner's secret.
        threshold: The share of bits from which an owner claims a suspect; 148 of 256 has p < 0.01.
        bits: Length of the message.
        layer: Which convolution, counted from 0.
        weight: λ.
    """

    def __init__(
        self,
        task: Task,
        paths: Paths,
        *,
        key: Seed,
        threshold: Share,
        bits: PositiveInt,
        layer: NonNegativeInt,
        weight: NonNegativeFloat,
    ) -> None:
        super().__init__(task, paths, key=key, threshold=threshold)
        self._bits = bits
        self._layer = layer
        self._weight = weight
        self._shape: torch.Size | None = None
        self._matrices: dict[tuple[int, torch.device], Tensor] = {}

    def carried_by(self, network: nn.Module) -> None:
        """Learn the shape of the layer that carries the message."""
        layer = self._convolution(network)
        self._shape = None if layer is None else layer.weight.shape

    @property
    def size(self) -> int:
        """How many bits there are."""
        return self._bits

    @property
    def fingerprint(self) -> str:
        """Names all of it."""
        return fingerprint(type(self).__name__, self.key, self._bits, self._layer, self._weight)

    def penalty(self, network: nn.Module) -> Tensor | None:
        """What is added to the mentor's loss.

        Raises:
            UserError: The network has no such convolution.
        """
        layer = self._convolution(network)
        if layer is None:
            raise UserError(f"watermark.layer={self._layer}, but the mentor has fewer convolutions; take a lower one.")
        message = self._message.to(layer.weight.device)
        return self._weight * F.binary_cross_entropy_with_logits(self._read(layer), message, reduction="sum")

    def score(self, suspect: Mentor) -> float | None:
        """The share of bits that are right; None where the suspect has no such convolution."""
        layer = self._convolution(suspect.network)
        if layer is None or layer.weight.shape != self._shape:
            return None
        with torch.no_grad():
            right = (self._read(layer) > 0) == (self._message.to(layer.weight.device) > 0.5)
        return float(right.float().mean())

    @cached_property
    def _message(self) -> Tensor:
        return torch.from_numpy(self._random().integers(0, 2, self._bits)).float()

    def _convolution(self, network: nn.Module) -> nn.Conv2d | None:
        found = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
        return found[self._layer] if self._layer < len(found) else None

    def _read(self, layer: nn.Conv2d) -> Tensor:
        """X w̄, float32 [bits]."""
        carrier = layer.weight.float().mean(0).flatten()
        place = len(carrier), carrier.device
        if place not in self._matrices:
            random = torch.Generator().manual_seed(self.key)
            self._matrices[place] = torch.randn(self._bits, len(carrier), generator=random).to(carrier.device)
        return self._matrices[place] @ carrier
