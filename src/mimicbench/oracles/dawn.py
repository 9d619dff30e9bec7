"""Wrong answers to a few queries, by which a copy is known again."""

from typing import Annotated

from pydantic import Field, PositiveInt
from torch import Tensor

from mimicbench.counter_rng import Seed
from mimicbench.mentors import Mentor
from mimicbench.oracles.argmax import with_argmax
from mimicbench.oracles.keyed import KeyedNoise
from mimicbench.oracles.oracle import Oracle, Price
from mimicbench.oracles.owner import Owner


class Dawn(Oracle):
    """Swaps the label of a secret share r of the queries, so that a student that learned them can be recognised.

    Szyller et al. 2021, "DAWN: Dynamic adversarial watermarking of neural networks".

    A keyed hash of the image picks r of all images, always the same ones, and for each another class, any of the K -
    1 with equal probability, whose probability is exchanged with the label's: ``ỹ_i = y_j, ỹ_j = y_i``. All other
    replies are y.

    Args:
        mentor: What answers.
        owner: What its owner has.
        share: r; the source keeps it below 0.005.
        seed: The owner's secret, with the image the source of both choices.
        budget: Most images that it answers.
        price_per_1000: Of so many replies.
    """

    keeps_argmax = False

    def __init__(
        self,
        mentor: Mentor,
        owner: Owner | None = None,
        *,
        share: Annotated[float, Field(ge=0, le=1)],
        seed: Seed,
        budget: PositiveInt | None,
        price_per_1000: Price = None,
    ) -> None:
        super().__init__(mentor, owner, budget=budget, price_per_1000=price_per_1000)
        self._share = share
        self.__noise = KeyedNoise(seed)

    def _reply(self, probabilities: Tensor, images: Tensor) -> Tensor:
        """The probabilities, or those with a wrong label."""
        classes = probabilities.shape[1]
        lots = self.__noise.uniforms(images, 2)
        marked = lots[:, :1] < self._share
        label = probabilities.argmax(1)
        wrong = (label + 1 + (lots[:, 1] * (classes - 1)).long()) % classes
        swapped = probabilities.scatter(1, label[:, None], probabilities.gather(1, wrong[:, None]))
        swapped = swapped.scatter(1, wrong[:, None], probabilities.gather(1, label[:, None]))
        return with_argmax(swapped, wrong).where(marked, probabilities)
