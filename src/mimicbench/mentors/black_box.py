"""A mentor that is not ours: something takes numbers and gives numbers."""

from collections.abc import Callable

import torch
from torch import Tensor

from mimicbench.errors import UserError
from mimicbench.mentors.exchange import Exchange
from mimicbench.mentors.mentor import Mentor
from mimicbench.resident import answered_at_once
from mimicbench.tasks import Task


class BlackBox(Mentor):
    """Asks a model in its own language.

    Args:
        task: What it does; its classes are the task's, in their order.
        device: Where images come from and answers go.
        run: What the model makes of a batch, as :meth:`Exchange.put` gives it; its first dimension is the batch's.
        exchange: The model's language.
        fingerprint: Names the model and the language.
        elsewhere: Whether it runs on other processors than a student.
    """

    def __init__(
        self,
        task: Task,
        device: torch.device,
        run: Callable[[Tensor], Tensor],
        exchange: Exchange,
        fingerprint: str,
        *,
        elsewhere: bool = False,
    ) -> None:
        self.classes = task.classes
        self.device = device
        self._run = run
        self._exchange = exchange
        self.fingerprint = fingerprint
        self.elsewhere = elsewhere
        self.names_class_only = exchange.says == "label"

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """What the model answers, as probabilities."""
        size = self._exchange.batch or answered_at_once(images.device)
        answers = torch.cat([self._asked(batch) for batch in images.split(size)])
        return self._exchange.understood(answers, len(images)).to(self.device)

    def _asked(self, images: Tensor) -> Tensor:
        sent = self._exchange.filled(self._exchange.put(images))
        try:
            return self._run(sent)[: len(images)]
        except UserError:
            raise
        except Exception as error:  # each runtime has kinds of its own
            raise UserError(f"The mentor failed on {len(sent)} images: {first_line(error)}.") from None


def first_line(error: Exception) -> str:
    """What a runtime says, without its traces."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
