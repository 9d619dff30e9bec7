"""All but the label's probability in another order."""

import torch
from pydantic import PositiveInt
from torch import Tensor

from mimicbench.counter_rng import Seed
from mimicbench.mentors import Mentor
from mimicbench.oracles.argmax import with_argmax
from mimicbench.oracles.keyed import KeyedNoise
from mimicbench.oracles.oracle import Oracle, Price
from mimicbench.oracles.owner import Owner


class Shuffled(Oracle):
    """Replies with the largest probability where it is, and the others in a random order (paper, section 2.5).

    ``ỹ_i = y_i`` for i = argmax y; the other K - 1 values are permuted, each order of an image as probable as another.

    Args:
        mentor: What answers.
        owner: What its owner has.
        seed: The owner's secret, with the image the source of the order.
        budget: Most images that it answers.
        price_per_1000: Of so many replies.
    """

    keeps_argmax = True

    def __init__(
        self,
        mentor: Mentor,
        owner: Owner | None = None,
        *,
        seed: Seed,
        budget: PositiveInt | None,
        price_per_1000: Price = None,
    ) -> None:
        super().__init__(mentor, owner, budget=budget, price_per_1000=price_per_1000)
        self.__noise = KeyedNoise(seed)

    def _reply(self, probabilities: Tensor, images: Tensor) -> Tensor:
        """The same values in other places."""
        label = probabilities.argmax(1)
        classes = torch.arange(probabilities.shape[1], device=label.device)
        label_first = (classes != label[:, None]).to(torch.uint8).argsort(dim=1, stable=True)
        lots = self.__noise.uniforms(images, probabilities.shape[1])
        drawn = lots.scatter(1, label[:, None], -1.0).argsort(1)
        shuffled = torch.empty_like(probabilities).scatter_(1, label_first, probabilities.gather(1, drawn))
        return with_argmax(shuffled, label)
