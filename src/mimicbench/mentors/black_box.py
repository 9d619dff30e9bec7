"""A mentor that is not ours: something takes numbers and gives numbers."""

from collections.abc import Callable
from pathlib import Path

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
        return torch.cat([self._asked(batch) for batch in images.split(size)]).to(self.device)

    def _asked(self, images: Tensor) -> Tensor:
        count, sent = len(images), self._exchange.filled(self._exchange.put(images))
        try:
            answers = self._run(sent)[:count]
        except UserError:
            raise
        except Exception as error:  # each runtime has kinds of its own
            raise UserError(f"The mentor failed on {len(sent)} images: {first_line(error)}.") from None
        return self._exchange.understood(answers, count)


def existing(path: Path) -> Path:
    """The file of a model.

    Raises:
        UserError: There is none.
    """
    if not path.is_file():
        raise UserError(f"mentor.path={path} is not a file; give that of the model.")
    return path


def trusted(path: Path, trust: bool) -> Path:
    """The file of a model that is a program.

    Raises:
        UserError: There is none, or its maker is not trusted.
    """
    if not trust:
        raise UserError(
            f"mentor.path={path} is a program: loading or asking it may run whatever its maker wrote. Set "
            "mentor.trust=true if you trust them, or take mentor=onnx."
        )
    return existing(path)


def first_line(error: Exception) -> str:
    """What a runtime says, without its traces."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
