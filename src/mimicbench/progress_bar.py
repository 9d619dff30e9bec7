"""The progress bar of a single training."""

from typing import Any

import lightning as L  # noqa: N812 (Lightning's own convention)
from lightning.pytorch.callbacks import TQDMProgressBar
from pydantic import NonNegativeInt


class ProgressBar(TQDMProgressBar):
    """Lightning's, which also says who learns, and how many epochs there are.

    Args:
        refresh_rate: Chunks between two updates; 0 for no bar.
        leave: Keep the bar of each epoch on the terminal.
        learner: Who learns, such as ``Student``.
    """

    def __init__(self, *, refresh_rate: NonNegativeInt = 1, leave: bool = False, learner: str = "Student") -> None:
        super().__init__(refresh_rate=refresh_rate, leave=leave)
        self._learner = learner

    @property
    def train_description(self) -> str:
        """Stands before the bar until the first epoch begins."""
        return self._learner

    def on_train_epoch_start(self, trainer: L.Trainer, *_: Any) -> None:
        """Begin an epoch's bar."""
        super().on_train_epoch_start(trainer, *_)
        epoch = f"epoch {trainer.current_epoch + 1} of {trainer.max_epochs}"
        self.train_progress_bar.set_description(f"{self._learner}, {epoch}")
