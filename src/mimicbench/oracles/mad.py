"""Replies that turn the attacker's gradient as far away as they may."""

from functools import lru_cache
from math import comb
from typing import Annotated

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from mimicbench.counter_rng import Seed
from mimicbench.mentors import Mentor
from mimicbench.oracles.argmax import with_argmax
from mimicbench.oracles.oracle import Oracle, Price
from mimicbench.oracles.owner import Owner
from mimicbench.schema import Component

_ALL_SUBSETS = 10  # classes up to which all label sets are tried: 512 of them
_ROWS = 512  # tried at a time: 2 MB a table of theirs
_TINY = 1e-12
_AS_GOOD = 1e-5  # difference of cosines within which the first corner is taken, however a batch was rounded


class MADExtreme(Oracle):
    """Maximising angular deviation, where the label may change.

    Orekondy et al. 2020, "Prediction poisoning: towards defenses against DNN model stealing attacks".

    ``max ‖Gᵀỹ/‖Gᵀỹ‖ - Gᵀy/‖Gᵀy‖‖²`` over ỹ on the simplex with ``‖ỹ - y‖₁ ≤ ε``. Row k of G is the gradient of log
    p_k by the weights of the last layer of a proxy, a network with random weights that stands for the student's, and
    p is what the proxy says of the image. That gradient is ``(e_k - p) ⊗ h``, with h what the layer sees: so Gᵀỹ is
    ``(ỹ - p) ⊗ h``, h drops out, and the objective is ``2 - 2 cos(ỹ - p, y - p)``. No gradient needs to be computed:
    a reply costs the proxy's forward pass and, for ten classes on one core of an AMD EPYC, 1 µs, or 24 µs where the
    label is kept.

    As in the source, ỹ is ``(1 - α) y + α y*`` for a corner y* of the admitted region, with ``α = min(1, ε / ‖y* -
    y‖₁)``. Here the corners are the K classes; :class:`MAD` admits only those that keep the label. Of them the source
    takes the one that is best itself; here it is the one whose ỹ is best, which is never worse (but for 10⁻⁵ of the
    cosine).

    Args:
        mentor: What answers.
        owner: Where the proxy runs.
        epsilon: ε, the largest L1 distance of a reply from the mentor's probabilities.
        proxy: The proxy's configuration, with ``_target_``.
        seed: The owner's secret: the proxy's weights.
        budget: Most images that it answers.
        price_per_1000: Of so many replies.
    """

    keeps_argmax = False

    def __init__(
        self,
        mentor: Mentor,
        owner: Owner,
        *,
        epsilon: Annotated[float, Field(ge=0, le=2)],
        proxy: Component,
        seed: Seed,
        budget: PositiveInt | None,
        price_per_1000: Price = None,
    ) -> None:
        super().__init__(mentor, owner, budget=budget, price_per_1000=price_per_1000)
        self._epsilon = epsilon
        self.__proxy = owner.answering(owner.network("oracle.proxy", proxy, seed))
        self.fingerprint = self.__proxy.fingerprint

    def _reply(self, probabilities: Tensor, images: Tensor) -> Tensor:
        """The probabilities, as far towards the best corner as they may be."""
        answers, proxy = probabilities.double(), self.__proxy(images).double()
        turned = [self._turned(y, p) for y, p in zip(answers.split(_ROWS), proxy.split(_ROWS), strict=True)]
        return self._settled(torch.cat(turned).float(), probabilities)

    def _turned(self, y: Tensor, p: Tensor) -> Tensor:
        """The best reply for the mentor's probabilities y, given the proxy's p; all float64 [B, K]."""
        count = y.shape[1]
        order = torch.arange(count, device=y.device).expand(y.shape)
        return self._best(y, p, order, torch.eye(count, dtype=y.dtype, device=y.device), [count])

    def _best(self, y: Tensor, p: Tensor, order: Tensor, sets: Tensor, counts: list[int]) -> Tensor:
        """The best reply on the way to a uniform distribution over one of some sets of classes.

        Args:
            y: float64 [B, K], the mentor's probabilities.
            p: float64 [B, K], the proxy's.
            order: int64 [B, K], which class each column of ``sets`` is for a row.
            sets: float64 [S, K] of zeros and ones, by ascending size.
            counts: How many sets hold one class, two classes, and so on.
        """
        own, proxy = y.gather(1, order), p.gather(1, order)
        size = sets.sum(1)
        corners = sets / size[:, None]
        alpha = (self._epsilon / _distances(own, sets, counts).clamp_min(_TINY)).clamp_max(1.0)
        near = ((own - proxy) ** 2).sum(1, keepdim=True)
        far = 1 / size - 2 * proxy @ corners.T + (proxy * proxy).sum(1, keepdim=True)
        across = (own - proxy) @ corners.T - (proxy * (own - proxy)).sum(1, keepdim=True)
        rest = 1 - alpha
        squared = rest * rest * near + 2 * alpha * rest * across + alpha * alpha * far
        cosine = (rest * near + alpha * across) / (near * squared).clamp_min(_TINY).sqrt()
        best = (cosine <= cosine.amin(1, keepdim=True) + _AS_GOOD).byte().argmax(1)  # the first of them
        corner = torch.zeros_like(y).scatter_(1, order, corners[best])
        return y + alpha.gather(1, best[:, None]) * (corner - y)

    def _settled(self, reply: Tensor, probabilities: Tensor) -> Tensor:
        """The reply with what else is promised of it."""
        return reply


class MAD(MADExtreme):
    """Maximising angular deviation with the label kept: the source's MAD-argmax; see :class:`MADExtreme`.

    The corners are the uniform distributions over sets of classes that hold the label: all 2^(K-1) of them for up to
    ten classes; for more, the K nested sets that take in the other classes by ascending ``y_k - p_k``.
    """

    keeps_argmax = True

    def _turned(self, y: Tensor, p: Tensor) -> Tensor:
        count, label = y.shape[1], y.argmax(1, keepdim=True)
        if count <= _ALL_SUBSETS:
            ranks = (torch.arange(count, device=y.device) != label).double()
            counts = [comb(count - 1, others) for others in range(count)]
            return self._best(y, p, ranks.argsort(dim=1, stable=True), _label_sets(count, y.device), counts)
        ranks = (y - p).scatter(1, label, -2.0)  # less than any: the label comes first
        nested = y.new_ones(count, count).tril()
        return self._best(y, p, ranks.argsort(dim=1, stable=True), nested, [1] * count)

    def _settled(self, reply: Tensor, probabilities: Tensor) -> Tensor:
        return with_argmax(reply, probabilities.argmax(1))


def _distances(y: Tensor, sets: Tensor, counts: list[int]) -> Tensor:
    """L1 distances of distributions, float64 [B, K], from the uniform ones over sets, [S, K]; float64 [B, S].

    Twice what has to be taken away: all outside the set, and within it what is above 1 / size.
    """
    above = [(y - 1 / size).clamp_min(0.0) @ some.T for size, some in enumerate(sets.split(counts), 1)]
    return 2 * (1 - y @ sets.T + torch.cat(above, 1))


@lru_cache(maxsize=4)
def _label_sets(classes: int, device: torch.device) -> Tensor:
    """All sets of classes that hold the first, by size: float64 [2^(K-1), K] of zeros and ones."""
    numbers = torch.arange(2 ** (classes - 1), device=device)[:, None]
    others = (numbers >> torch.arange(classes - 1, device=device)) & 1
    ascending = others.sum(1).argsort(stable=True)
    return torch.cat([torch.ones_like(numbers), others[ascending]], 1).double()
