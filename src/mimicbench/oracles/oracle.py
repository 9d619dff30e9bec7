"""The door."""

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar, final

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from mimicbench.errors import QueryBudgetExceeded
from mimicbench.mentors import Mentor
from mimicbench.oracles.ledger import Ledger
from mimicbench.oracles.owner import Owner

Price = Annotated[float, Field(ge=0)] | None
"""Of 1,000 replies, in whatever currency; None where there is none."""


class Oracle(ABC):
    """Answers queries to a mentor: counts them, keeps to a budget, and decides what a reply reveals.

    A subclass says in :meth:`_reply` what the attacker gets to see, and declares its own parameters after the ``*`` of
    its constructor.

    Args:
        mentor: What answers.
        owner: What its owner has to build a protection with; None is enough for those that need nothing.
        budget: Most images that it answers for one training; None for no limit. What a killed process asked and had
            not yet learned is asked again on top of it.
        price_per_1000: Of so many replies; None for none.
    """

    keeps_argmax: ClassVar[bool] = False
    """Whether each reply names the class that the mentor names: then a student that learns labels alone learns nothing
    else from it than from :class:`~mimicbench.oracles.label.Label`."""

    names_class_only: ClassVar[bool] = False
    """Whether all that a reply says is a class: then it is one-hot, and a mentor that says no more is enough."""

    def __init__(
        self,
        mentor: Mentor,
        owner: Owner | None = None,
        *,
        budget: PositiveInt | None,
        price_per_1000: Price = None,
    ) -> None:
        self.__mentor = mentor
        self.elsewhere = mentor.elsewhere
        """Whether the mentor answers elsewhere, so that a student can learn meanwhile."""
        self.fingerprint = ""
        """Names what replies depend on besides mentor and configuration: networks that were trained for them."""
        self.budget = budget
        self.price_per_1000 = price_per_1000
        self.asked = 0
        """Images answered in this run so far, to all ranks."""
        self.ledger: Ledger | None = None
        """Where each query is noted before it is sent, if anywhere."""

    @final
    @torch.no_grad()
    def ask(self, images: Tensor, together: int | None = None) -> Tensor:
        """Send a query.

        Args:
            images: float [B, C, H, W] in [0, 1].
            together: How many images all ranks send now, these included; None for these alone.

        Returns:
            float32 [B, K], rows on the simplex, without gradients.

        Raises:
            QueryBudgetExceeded: The budget does not cover them all; none was sent.
        """
        together = len(images) if together is None else together
        if self.budget is not None and self.asked + together > self.budget:
            raise QueryBudgetExceeded(
                f"oracle.budget={self.budget} does not cover {together:,} more images after {self.asked:,}; "
                f"raise it or ask for less."
            )
        self.asked += together
        if self.ledger is not None:
            self.ledger.note(len(images))
        return self._reply(self.__mentor.queried(images), images)

    @final
    def hang_up(self) -> None:
        """Ask the mentor nothing more, not even the rest of a query that is under way."""
        self.__mentor.hang_up()

    def recall(self, asked: int) -> None:
        """Take over the count of an earlier process of this run, whose replies were learned or kept."""
        self.asked = max(self.asked, asked)

    @abstractmethod
    def _reply(self, probabilities: Tensor, images: Tensor) -> Tensor:
        """What the attacker sees of the mentor's answers: a function of answer and image, in whatever batch they come.

        Args:
            probabilities: float32 [B, K], the mentor's, rows on the simplex.
            images: float [B, C, H, W] in [0, 1], the query.

        Returns:
            float32 [B, K], rows on the simplex.
        """
