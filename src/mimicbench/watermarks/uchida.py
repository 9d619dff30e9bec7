"""A message in the weights."""

from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt
from torch import Tensor, nn

from mimicbench.counter_rng import Seed
from mimicbench.errors import UserError
from mimicbench.fingerprint import fingerprint
from mimicbench.paths import Paths
from mimicbench.tasks import Task
from mimicbench.watermarks.chance import claimed_from
from mimicbench.watermarks.evidence import Message, convolutions, readings
from mimicbench.watermarks.watermark import Share, Watermark

_FALSE_CLAIMS = 0.01


class Uchida(Watermark):
    """Uchida et al. 2017, "Embedding watermarks into deep neural networks".

    A message b of random bits is written into one convolution: with w̄ the mean of its weights over the filters, ``λ
    Σ_j BCE(σ((X w̄)_j), b_j)`` is added to the mentor's loss, X a matrix of N(0, 1) from the key. Whoever has the
    weights reads ``(X w̄)_j > 0``; of a network without the mark half of the bits are right. Where a suspect's layer
    has another shape, or there is none, the test is undefined.

    Args:
        task: What the mentor does.
        paths: Not used.
        name: What it is called.
        key: The owner's secret.
        threshold: The share of bits from which an owner claims a suspect; None for what chance reaches with p < 0.01,
            148 of 256.
        bits: Length of the message.
        layer: Which convolution, counted from 0; None for the middle one.
        weight: λ.

    Raises:
        UserError: There are too few bits for a threshold.
    """

    def __init__(
        self,
        task: Task,
        paths: Paths,
        *,
        name: str,
        key: Seed,
        threshold: Share | None,
        bits: PositiveInt,
        layer: NonNegativeInt | None,
        weight: NonNegativeFloat,
    ) -> None:
        claimed = claimed_from(bits, _FALSE_CLAIMS, "watermark.bits") if threshold is None else threshold
        super().__init__(task, paths, name=name, key=key, threshold=claimed)
        self._bits = bits
        self._layer = layer
        self._weight = weight

    def carried_by(self, network: nn.Module) -> None:
        """Learn which layer carries the message, and its shape."""
        self._carrier = self._carrier_in(network)
        self._shape = tuple(convolutions(network)[self._carrier].weight.shape)

    @property
    def evidence(self) -> Message:
        """The message, and where it is."""
        bits, shape = self._message.numpy() > 0, np.array(self._shape, dtype=np.int64)
        return Message(self.scheme, self.key, self.threshold, bits, self._carrier, shape)

    @property
    def fingerprint(self) -> str:
        """Names all of it."""
        return fingerprint(type(self).__name__, self.key, self._bits, self._layer, self._weight)

    def penalty(self, network: nn.Module) -> Tensor | None:
        """What is added to the mentor's loss.

        Raises:
            UserError: The network has no such convolution.
        """
        carrier = convolutions(network)[self._carrier_in(network)]
        said = readings(carrier, self.key, self._bits)
        return self._weight * F.binary_cross_entropy_with_logits(said, self._message.to(said.device), reduction="sum")

    @cached_property
    def _message(self) -> Tensor:
        return torch.from_numpy(self._random().integers(0, 2, self._bits)).float()

    def _carrier_in(self, network: nn.Module) -> int:
        count = len(convolutions(network))
        layer = count // 2 if self._layer is None else self._layer
        if layer >= count:
            raise UserError(f"watermark.layer={layer}, but the mentor has {count} convolutions; take a lower one.")
        return layer
