"""Measurements, taken in turns between the epochs of a running job."""

from collections.abc import Callable
from time import perf_counter
from typing import Any

import lightning as L  # noqa: N812 (Lightning's own convention)
import torch


class Turns(L.Callback):
    """Times every epoch but the first, all of it but the evaluation, and takes other measurements before each.

    Put it before other callbacks, so that what they do falls into the epochs.

    Args:
        measure: Takes the other measurements.

    Attributes:
        seconds: Of every epoch but the first, which warms up.
        measured: What ``measure`` returned before each of them.
    """

    def __init__(self, measure: Callable[[], dict[str, float]]) -> None:
        self._measure = measure
        self._spent = 0.0
        self._since = 0.0
        self.seconds: list[float] = []
        self.measured: list[dict[str, float]] = []

    def on_train_epoch_start(self, trainer: L.Trainer, *_: Any) -> None:
        """Close the epoch before, measure the others, and start the clock."""
        self._close(trainer.current_epoch - 1)
        if trainer.current_epoch > 0:
            self.measured.append(self._measure())
        self._spent, self._since = 0.0, perf_counter()

    def on_validation_start(self, *_: Any) -> None:
        """Stop the clock."""
        self._spent += self._elapsed()

    def on_validation_end(self, *_: Any) -> None:
        """Let it go on."""
        self._since = perf_counter()

    def on_train_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Close the last epoch."""
        self._close(trainer.max_epochs or 0)

    def _close(self, epoch: int) -> None:
        if epoch > 0:
            self.seconds.append(self._spent + self._elapsed())

    def _elapsed(self) -> float:
        wait()
        return perf_counter() - self._since


def seconds_of(work: Callable[[], object], times: int = 1) -> float:
    """How long it takes to do some work so many times, after doing it once for warm-up."""
    work()
    wait()
    start = perf_counter()
    for _ in range(times):
        work()
    wait()
    return perf_counter() - start


def wait() -> None:
    """Until the device has done all that it was asked to do."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
