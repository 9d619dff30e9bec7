"""Replies that turn the attacker's gradient as far away as they may."""

from functools import lru_cache
from typing import Annotated, Any

import torch
from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Tensor

from mimicbench.mentors import Mentor
from mimicbench.oracles.argmax import with_argmax
from mimicbench.oracles.oracle import Oracle
from mimicbench.oracles.owner import Owner

_ALL_SUBSETS = 10  # classes up to which all label sets are tried: 512 of them
_ROWS = 512  # tried at a time: 1 MB a table of theirs
_TINY = 1e-12


class MADExtreme(Oracle):
    """Maximising angular deviation, where the label may change.

    Orekondy et al. 2020, "Prediction poisoning: towards defenses against DNN model stealing attacks".

    ``max ‖Gᵀỹ/‖Gᵀỹ‖ - Gᵀy/‖Gᵀy‖‖²`` over ỹ on the simplex with ``‖ỹ - y‖₁ ≤ ε``. Row k of G is the gradient of log
    p_k by the weights of the last layer of a proxy, a network with random weights that stands for the student's, and
    p is what the proxy says of the image. That gradient is ``(e_k - p) ⊗ h``, with h what the layer sees: so Gᵀỹ is
    ``(ỹ - p) ⊗ h``, h drops out, and the objective is ``2 - 2 cos(ỹ - p, y - p)``. No gradient needs to be computed:
    the cost is the proxy's forward pass.

    As in the source, the best corner y* of the admitted region is found, and ``ỹ = (1 - α) y + α y*`` with ``α =
    min(1, ε / ‖y* - y‖₁)``. Here the corners are the K classes; :class:`MAD` admits only those that keep the label.

    Args:
        mentor: What answers.
        owner: Where the proxy runs.
        epsilon: ε, the largest L1 distance of a reply from the mentor's probabilities.
        proxy: The proxy's configuration, with ``_target_``.
        seed: The owner's secret: the proxy's weights.
        budget: Most images that it answers.
    """

    keeps_argmax = False

    def __init__(
        self,
        mentor: Mentor,
        owner: Owner,
        *,
        epsilon: Annotated[float, Field(ge=0, le=2)],
        proxy: dict[str, Any],
        seed: NonNegativeInt,
        budget: PositiveInt | None,
    ) -> None:
        super().__init__(mentor, owner, budget=budget)
        self._epsilon = epsilon
        self.__proxy = owner.answering(owner.network("oracle.proxy", proxy, seed))

    def reply(self, probabilities: Tensor, images: Tensor) -> Tensor:
        """The probabilities, as far towards the corner as they may be."""
        proxy = self.__proxy(images)
        parts = zip(probabilities.split(_ROWS), proxy.split(_ROWS), strict=True)
        corner = torch.cat([self._corner(y, p) for y, p in parts])
        step = corner - probabilities
        alpha = (self._epsilon / step.abs().sum(1, keepdim=True).clamp_min(_TINY)).clamp_max(1.0)
        return self._settled(probabilities + alpha * step, probabilities)

    def _corner(self, y: Tensor, p: Tensor) -> Tensor:
        """The best corner for the mentor's probabilities y, given the proxy's p; all float32 [B, K]."""
        best = _cosines(y - p, p, torch.ones(1, device=y.device), y, p).argmin(1)
        return torch.zeros_like(y).scatter_(1, best[:, None], 1.0)

    def _settled(self, reply: Tensor, probabilities: Tensor) -> Tensor:
        """The reply with what else is promised of it."""
        return reply


class MAD(MADExtreme):
    """Maximising angular deviation with the label kept: the source's MAD-argmax; see :class:`MADExtreme`.

    The corners are the uniform distributions over sets of classes that hold the label: all 2^(K-1) of them for up to
    ten classes; for more, the K nested sets that take in the other classes by ascending ``y_k - p_k``.
    """

    keeps_argmax = True

    def _corner(self, y: Tensor, p: Tensor) -> Tensor:
        label, classes = y.argmax(1, keepdim=True), y.shape[1]
        towards = (y - p).scatter(1, label, -2.0)  # less than any: the label comes first
        order = towards.argsort(1)
        y, p = y.gather(1, order), p.gather(1, order)
        if classes <= _ALL_SUBSETS:
            sets = _label_sets(classes, y.device)
        else:
            sets = torch.ones(classes, classes, device=y.device).tril()
        size = sets.sum(1)
        uniform = sets / size[:, None]
        best = _cosines((y - p) @ uniform.T, p @ uniform.T, size, y, p).argmin(1)
        return torch.zeros_like(y).scatter_(1, order, uniform[best])

    def _settled(self, reply: Tensor, probabilities: Tensor) -> Tensor:
        return with_argmax(reply, probabilities.argmax(1))


def _cosines(difference: Tensor, proxy: Tensor, size: Tensor, y: Tensor, p: Tensor) -> Tensor:
    """cos(v - p, y - p) for the uniform distributions v over S sets of classes, but for the factor ‖y - p‖ of a row.

    Args:
        difference: float32 [B, S], mean of y - p over the classes of each set.
        proxy: float32 [B, S], mean of p over them.
        size: float32 [S], how many they are.
        y: float32 [B, K], the mentor's probabilities.
        p: float32 [B, K], the proxy's.
    """
    across = difference - (p * (y - p)).sum(1, keepdim=True)
    squared = 1 / size - 2 * proxy + (p * p).sum(1, keepdim=True)
    return across / squared.clamp_min(_TINY).sqrt()


@lru_cache(maxsize=4)
def _label_sets(classes: int, device: torch.device) -> Tensor:
    """All sets of classes that hold the first: float32 [2^(K-1), K] of zeros and ones."""
    numbers = torch.arange(2 ** (classes - 1), device=device)[:, None]
    others = (numbers >> torch.arange(classes - 1, device=device)) & 1
    return torch.cat([torch.ones_like(numbers), others], 1).float()
