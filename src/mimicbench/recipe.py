"""How a network is trained: the rows of the paper's Tables 2 and 3, and the learning-rate schedule."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass
from torch import nn
from torch.optim import SGD
from torch.optim.lr_scheduler import ConstantLR, LRScheduler, OneCycleLR, StepLR

Fraction = Annotated[float, Field(ge=0, lt=1)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Recipe:
    """Stochastic gradient descent as Tables 2 (composite) and 3 (standard) set it.

    Attributes:
        batch_size: Samples in an SGD step.
        learning_rate: The first rate of the ``step`` schedule; the highest of ``one_cycle``.
        momentum: Of SGD.
        weight_decay: The factor of the L2 term, on all weights, through the optimiser.
        dropout: Probability, after each dense layer of 512.
        schedule: ``step`` multiplies the rate by 0.9 every 10 epochs (paper, section 3.4). ``one_cycle`` warms up over
            the first ``warmup`` of all steps and then falls to zero as a cosine, for runs too short for the paper's.
        warmup: Share of the steps in which ``one_cycle`` rises.
    """

    batch_size: PositiveInt
    learning_rate: PositiveFloat
    momentum: Fraction
    weight_decay: NonNegativeFloat
    dropout: Fraction
    schedule: Literal["step", "one_cycle"]
    warmup: Annotated[float, Field(gt=0, lt=1)] = 0.3

    def optimizer(self, network: nn.Module) -> SGD:
        """The optimiser for ``network``."""
        return SGD(
            network.parameters(),
            lr=self.learning_rate,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            fused=True,
        )

    def scheduler(self, optimizer: SGD, steps: int) -> LRScheduler:
        """The schedule of ``optimizer``, to be advanced once a ``schedule_unit``.

        Args:
            optimizer: What :meth:`optimizer` returned.
            steps: SGD steps of the whole run.
        """
        if self.schedule == "step":
            return StepLR(optimizer, step_size=10, gamma=0.9)
        if steps < 3:  # too few to rise and fall: all at the rate that a cycle begins with
            return ConstantLR(optimizer, factor=1 / 25, total_iters=steps + 1)
        rising = max(self.warmup, min(1.0, 2 / steps))  # PyTorch divides by the rise less one step
        return OneCycleLR(
            optimizer, max_lr=self.learning_rate, total_steps=steps, pct_start=rising, cycle_momentum=False
        )

    @property
    def schedule_unit(self) -> Literal["epoch", "step"]:
        """How often the schedule advances: once an epoch, or once an SGD step."""
        return "epoch" if self.schedule == "step" else "step"
