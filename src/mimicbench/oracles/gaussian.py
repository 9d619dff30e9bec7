"""Noise on the mentor's answers."""

from typing import Annotated, Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from mimicbench.counter_rng import Seed
from mimicbench.mentors import Mentor
from mimicbench.oracles.keyed import KeyedNoise
from mimicbench.oracles.oracle import Oracle, Price
from mimicbench.oracles.owner import Owner


class Gaussian(Oracle):
    """Replies with probabilities under Gaussian noise, which may change the label.

    On ``logits``: ``ỹ = softmax(log y + σ g)``. On ``probabilities``: ``ỹ = Π(y + σ g)``, Π the nearest point of the
    simplex (Duchi et al. 2008); ART's ``GaussianNoise`` cuts off below 0 and renormalises instead. g are K
    independent standard normal numbers, drawn for the image: asking again does not average them out.

    Args:
        mentor: What answers.
        owner: What its owner has.
        scale: σ.
        space: What the noise is added to.
        seed: The owner's secret, with the image the source of g.
        budget: Most images that it answers.
        price_per_1000: Of so many replies.
    """

    keeps_argmax = False

    def __init__(
        self,
        mentor: Mentor,
        owner: Owner | None = None,
        *,
        scale: Annotated[float, Field(gt=0, le=100)],
        space: Literal["logits", "probabilities"],
        seed: Seed,
        budget: PositiveInt | None,
        price_per_1000: Price = None,
    ) -> None:
        super().__init__(mentor, owner, budget=budget, price_per_1000=price_per_1000)
        self._scale = scale
        self._space = space
        self.__noise = KeyedNoise(seed)

    def _reply(self, probabilities: Tensor, images: Tensor) -> Tensor:
        """The probabilities with noise."""
        noise = (self._scale * self.__noise.normals(images, probabilities.shape[1])).to(probabilities)
        if self._space == "logits":
            return (probabilities.log() + noise).softmax(1)
        return on_simplex(probabilities + noise)


def on_simplex(points: Tensor) -> Tensor:
    """The nearest points of the simplex in the Euclidean sense (Duchi et al. 2008, Figure 1); float [B, K] both."""
    descending = points.sort(dim=1, descending=True).values
    count = torch.arange(1, points.shape[1] + 1, device=points.device, dtype=points.dtype)
    excess = (descending.cumsum(1) - 1) / count
    kept = (descending > excess).sum(1, keepdim=True)
    nearest = (points - excess.gather(1, kept - 1)).clamp_min(0.0)
    return nearest / nearest.sum(1, keepdim=True)
