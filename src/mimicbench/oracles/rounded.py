"""Probabilities with few decimals."""

from typing import Annotated

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from mimicbench.mentors import Mentor
from mimicbench.oracles.oracle import Oracle, Price
from mimicbench.oracles.owner import Owner


class Rounded(Oracle):
    """Replies with probabilities of d decimals, renormalised (Tramèr et al. 2016, section 7; ART's ``Rounded``).

    ``n = round(y · 10^d)``, halves to even; where another class has as many units as the mentor's label, or all have
    none, the label gets one more, so that the reply names it; ``ỹ = n / Σ n``. ART neither breaks ties nor
    renormalises.

    Args:
        mentor: What answers.
        owner: What its owner has.
        decimals: d.
        budget: Most images that it answers.
        price_per_1000: Of so many replies.
    """

    keeps_argmax = True

    def __init__(
        self,
        mentor: Mentor,
        owner: Owner | None = None,
        *,
        decimals: Annotated[int, Field(ge=0, le=6)],
        budget: PositiveInt | None,
        price_per_1000: Price = None,
    ) -> None:
        super().__init__(mentor, owner, budget=budget, price_per_1000=price_per_1000)
        self._scale = float(10**decimals)

    def _reply(self, probabilities: Tensor, images: Tensor) -> Tensor:
        """Whole units of 10^-d, renormalised."""
        label = probabilities.argmax(1, keepdim=True)
        units = (probabilities * self._scale).round()
        own = units.gather(1, label)
        others = units.scatter(1, label, -1.0).amax(1, keepdim=True)
        units.scatter_(1, label, torch.where(others < own, own, own + 1))
        return units / units.sum(1, keepdim=True)
