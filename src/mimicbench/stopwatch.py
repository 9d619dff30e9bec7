"""How long the student learns."""

from time import perf_counter
from typing import Any

import lightning as L  # noqa: N812 (Lightning's own convention)
import torch


class Stopwatch(L.Callback):
    """Adds up the wall time of the training epochs: asking and checkpoints within included, evaluation not.

    Attributes:
        seconds: So far.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._since: float | None = None

    def state_dict(self) -> dict[str, Any]:
        """What it shows now, for a checkpoint."""
        running = 0.0 if self._since is None else perf_counter() - self._since
        return {"seconds": self.seconds + running}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from what it showed."""
        self.seconds = state_dict["seconds"]

    def on_train_epoch_start(self, *_: Any) -> None:
        """Start."""
        self._since = perf_counter()

    def on_train_batch_start(self, *_: Any) -> None:
        """Start, where a run goes on within an epoch."""
        if self._since is None:
            self.on_train_epoch_start()

    def on_validation_start(self, *_: Any) -> None:
        """Stop: the epoch's last chunk has been learned."""
        if self._since is not None:
            if torch.cuda.is_initialized():
                torch.cuda.synchronize()
            self.seconds += perf_counter() - self._since
            self._since = None
