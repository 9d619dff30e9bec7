"""Replies that tell least of the mentor's answer, label and distance given."""

from typing import Annotated

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from mimicbench.mentors import Mentor
from mimicbench.oracles.argmax import with_argmax
from mimicbench.oracles.oracle import Oracle, Price
from mimicbench.oracles.owner import Owner

_STEPS = 40  # of each search: (2/3)^40 is 1e-7
_MARGIN = 1e-4
_LEAST = 1e-12  # of a probability whose logarithm is taken; the source adds 1e-6 instead


class ModelGuardW(Oracle):
    """Replies that tell least of the mentor's answer, for a given label and L1 distance.

    Tang et al. 2024, "ModelGuard: information-theoretic defense against model extraction attacks", its variant W.

    The linear program ``min ⟨log y, ỹ⟩`` over ỹ on the simplex with ``‖ỹ - y‖₁ ≤ ε`` and ``ỹ_i ≥ ỹ_j + 10⁻⁴`` for the
    label i and all j ≠ i: mass goes from classes that the mentor believes in to those that it believes in least.

    Solved for all rows at once, without a solver: for a given ỹ_i the rest is greedy in the order of y, and the
    optimum is convex in ỹ_i, found by ternary search in float64; exact to 10⁻⁶ of the program's value. Some 30 µs a
    query of ten classes on one core of an AMD EPYC.

    Args:
        mentor: What answers.
        owner: What its owner has.
        epsilon: ε, the largest L1 distance of a reply from the mentor's probabilities.
        budget: Most images that it answers.
        price_per_1000: Of so many replies.
    """

    keeps_argmax = True

    def __init__(
        self,
        mentor: Mentor,
        owner: Owner | None = None,
        *,
        epsilon: Annotated[float, Field(ge=0.01, le=2)],
        budget: PositiveInt | None,
        price_per_1000: Price = None,
    ) -> None:
        super().__init__(mentor, owner, budget=budget, price_per_1000=price_per_1000)
        self._epsilon = epsilon

    def _reply(self, probabilities: Tensor, images: Tensor) -> Tensor:
        """The optimum of the program."""
        y = probabilities.double()
        y = y / y.sum(1, keepdim=True)
        label = probabilities.argmax(1, keepdim=True)
        order = y.scatter(1, label, 2.0).argsort(dim=1, stable=True)
        program = _Program(y.gather(1, order), self._epsilon)
        solved = program.solved()
        return with_argmax(torch.zeros_like(y).scatter_(1, order, solved).float(), label[:, 0])


class _Program:
    """The linear program for rows whose classes ascend by y, the label last; all float64.

    Args:
        y: [B, K].
        epsilon: ε.
    """

    def __init__(self, y: Tensor, epsilon: float) -> None:
        self._others, self._own = y[:, :-1], y[:, -1:]
        self._cost = y.clamp_min(_LEAST).log()
        self._epsilon = epsilon

    def solved(self) -> Tensor:
        """[B, K]."""
        count = self._others.shape[1]
        start = self._own.clamp_min((1 + count * _MARGIN) / (count + 1))  # the least that can lie above all others
        low, high = (start - self._epsilon / 2).clamp_min(0.0), (start + self._epsilon / 2).clamp_max(1.0)
        sides = [self._search(low, start, below=True), self._search(start, high, below=False)]
        values = torch.cat([self._value(own) for own in sides], 1)
        own = torch.cat(sides, 1).gather(1, values.argmin(1, keepdim=True))
        return torch.cat([self._rest(own)[0], own], 1)

    def _search(self, low: Tensor, high: Tensor, *, below: bool) -> Tensor:
        """The best value of the label between two, [B, 1]; what is beyond the admitted ones is the far end."""
        for _ in range(_STEPS):
            first, second = low + (high - low) / 3, high - (high - low) / 3
            values = self._value(first), self._value(second)
            upwards = values[0] >= values[1] if below else values[0] > values[1]
            low, high = first.where(upwards, low), high.where(upwards, second)
        return high if below else low

    def _value(self, own: Tensor) -> Tensor:
        """⟨log y, ỹ⟩ where the label has the value ``own``, [B, 1]; infinite where that cannot be."""
        rest, possible = self._rest(own)
        value = (self._cost[:, :-1] * rest).sum(1, keepdim=True) + self._cost[:, -1:] * own
        return value.masked_fill(~possible, torch.inf)

    def _rest(self, own: Tensor) -> tuple[Tensor, Tensor]:
        """The best values of the other classes, [B, K - 1], and whether there are any, bool [B, 1].

        What is given to classes is taken from others and, where the label is lowered, from it; the L1 distance
        counts both.
        """
        z, most = self._others, own - _MARGIN
        needed = self._own - own  # to be given on balance; negative where it is taken
        given = (self._epsilon - needed.abs() + needed) / 2
        capped = z.minimum(most)
        forced = (z - capped).sum(1, keepdim=True)
        room = (most - capped).clamp_min(0.0)
        best = self._filled(1 - own, most)  # what it would be without a limit on the distance
        given = given.minimum((best - capped).clamp_min(0.0).sum(1, keepdim=True))
        taken = given - needed - forced
        gifts = (given - room.cumsum(1) + room).clamp_min(0.0).minimum(room)  # to the least believed first
        above = capped.flip(1).cumsum(1).flip(1) - capped
        takings = (taken - above).clamp_min(0.0).minimum(capped)  # from the most believed first
        possible = (given >= 0) & (taken >= -_LEAST) & (most >= 0)
        possible &= (gifts.sum(1, keepdim=True) - given).abs() < 1e-9
        possible &= (takings.sum(1, keepdim=True) - taken).abs() < 1e-9
        return capped + gifts - takings, possible

    def _filled(self, mass: Tensor, most: Tensor) -> Tensor:
        """The mass on the least believed classes, each filled up before the next gets some, [B, K - 1]."""
        before = torch.arange(self._others.shape[1], device=mass.device) * most
        return (mass - before).clamp_min(0.0).minimum(most)
