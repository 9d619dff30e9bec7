"""Probabilities bent so that one reply fits several answers."""

from pydantic import PositiveFloat, PositiveInt
from torch import Tensor

from mimicbench.mentors import Mentor
from mimicbench.oracles.argmax import with_argmax
from mimicbench.oracles.oracle import Oracle, Price
from mimicbench.oracles.owner import Owner

_LEAST = 1e-9  # ART's, too: the logit of 0 is infinite


class ReverseSigmoid(Oracle):
    """Replies with ``normalise(max(0, y - β (σ(γ logit y) - ½)))``.

    Lee et al. 2018, "Defending against machine learning model stealing attacks using deceptive perturbations"; ART's
    ``ReverseSigmoid``.

    The map is not monotone: with β = 0.21 and γ = 0.2, values near 0 and 1 are bent back to about 0.1 and 0.9. Up to
    ten classes the largest stays the largest; with more, a value near 0 can come out above the mentor's label, and is
    exchanged with it here, which the source does not.

    Args:
        mentor: What answers.
        owner: What its owner has.
        beta: β, how far.
        gamma: γ, how steep.
        budget: Most images that it answers.
        price_per_1000: Of so many replies.
    """

    keeps_argmax = True

    def __init__(
        self,
        mentor: Mentor,
        owner: Owner | None = None,
        *,
        beta: PositiveFloat,
        gamma: PositiveFloat,
        budget: PositiveInt | None,
        price_per_1000: Price = None,
    ) -> None:
        super().__init__(mentor, owner, budget=budget, price_per_1000=price_per_1000)
        self._beta = beta
        self._gamma = gamma

    def _reply(self, probabilities: Tensor, images: Tensor) -> Tensor:
        """The probabilities, bent."""
        y = probabilities.double()  # 1 - 1e-9 is 1 in float32
        bend = (self._gamma * y.logit(_LEAST)).sigmoid() - 0.5
        bent = (y - self._beta * bend).clamp_min(0.0)
        return with_argmax((bent / bent.sum(1, keepdim=True)).float(), probabilities.argmax(1))
