"""The few most probable classes."""

import torch
from pydantic import PositiveInt
from torch import Tensor

from mimicbench.errors import UserError
from mimicbench.mentors import Mentor
from mimicbench.oracles.argmax import with_argmax
from mimicbench.oracles.oracle import Oracle, Price
from mimicbench.oracles.owner import Owner


class TopK(Oracle):
    """Replies with the k largest probabilities, renormalised (Orekondy et al. 2019, "Knockoff Nets").

    ``ỹ_i = y_i / Σ_{j∈T} y_j`` for i in T, the k most probable classes (the first of equals), else 0.

    Args:
        mentor: What answers.
        owner: What its owner has.
        k: Classes in a reply, at most K.
        budget: Most images that it answers.
        price_per_1000: Of so many replies.

    Raises:
        UserError: There are fewer than k classes.
    """

    keeps_argmax = True

    def __init__(
        self,
        mentor: Mentor,
        owner: Owner | None = None,
        *,
        k: PositiveInt,
        budget: PositiveInt | None,
        price_per_1000: Price = None,
    ):
        super().__init__(mentor, owner, budget=budget, price_per_1000=price_per_1000)
        if k > len(mentor.classes):
            raise UserError(f"oracle.k={k}, but the mentor knows {len(mentor.classes)} classes; take at most these.")
        self._k = k

    def _reply(self, probabilities: Tensor, images: Tensor) -> Tensor:
        """The k largest, renormalised."""
        values, order = probabilities.sort(dim=1, descending=True, stable=True)
        kept = values[:, : self._k]
        replies = torch.zeros_like(probabilities).scatter_(1, order[:, : self._k], kept / kept.sum(1, keepdim=True))
        return with_argmax(replies, order[:, 0])  # a division can make equal what was not
