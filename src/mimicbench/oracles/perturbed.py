"""The paper's perturbation that leaves the label alone."""

from typing import Annotated

from pydantic import Field, PositiveInt
from torch import Tensor

from mimicbench.counter_rng import Seed
from mimicbench.mentors import Mentor
from mimicbench.oracles.argmax import with_argmax
from mimicbench.oracles.keyed import KeyedNoise
from mimicbench.oracles.oracle import Oracle, Price
from mimicbench.oracles.owner import Owner


class Perturbed(Oracle):
    """Replies with ``y + ψ``, where ψ is random and ``argmax(y + ψ) = argmax y`` (paper, section 2.5).

    The paper leaves ψ open. Here ``ψ = t (z - y)``: a step from y towards a point z that is drawn for the image,
    uniformly from the simplex, and t is the largest in [0, 1] with ``‖ψ‖₁ ≤ ε`` and an unchanged argmax; so ``y + ψ``
    is on the simplex.

    Args:
        mentor: What answers.
        owner: What its owner has.
        epsilon: ε, the largest L1 distance of a reply from the mentor's probabilities.
        seed: The owner's secret, with the image the source of z.
        budget: Most images that it answers.
        price_per_1000: Of so many replies.
    """

    keeps_argmax = True

    def __init__(
        self,
        mentor: Mentor,
        owner: Owner | None = None,
        *,
        epsilon: Annotated[float, Field(ge=0, le=2)],
        seed: Seed,
        budget: PositiveInt | None,
        price_per_1000: Price = None,
    ) -> None:
        super().__init__(mentor, owner, budget=budget, price_per_1000=price_per_1000)
        self._epsilon = epsilon
        self.__noise = KeyedNoise(seed)

    def _reply(self, probabilities: Tensor, images: Tensor) -> Tensor:
        """The probabilities, as far from themselves as they may be."""
        y, label = probabilities, probabilities.argmax(1)
        z = -self.__noise.uniforms(images, y.shape[1]).log()
        step = (z / z.sum(1, keepdim=True)).to(y) - y
        gap = y.gather(1, label[:, None]) - y  # y_i + t step_i stays ahead of y_j + t step_j while t · closing ≤ gap
        closing = step - step.gather(1, label[:, None])
        reach = (gap / closing).masked_fill(closing <= 0, float("inf")).amin(1)
        near_enough = self._epsilon / step.abs().sum(1).clamp_min(1e-12)
        t = reach.minimum(near_enough).clamp_max(1.0)
        return with_argmax((y + t[:, None] * step).clamp_min(0.0), label)
