"""The curves of a training, one point an epoch: how it went and what it has cost so far."""

from typing import Any

import lightning as L  # noqa: N812 (Lightning's own convention)

from mimicbench.learner import Learner
from mimicbench.oracles import Oracle
from mimicbench.stopwatch import Stopwatch


class Curves(L.Callback):
    """Gives the loggers a row after every epoch.

    It holds ``train/loss`` and ``train/learning_rate``; ``queries``, all that were answered so far (where a list of
    them is asked while the student learns, as far as that has come); and the epoch's ``train/samples_per_second``. It
    goes to the loggers at once, and not by Lightning's ``log``, which would hand it on only after the checkpoint: a
    process that is killed between the two would leave a curve without it.

    Args:
        oracle: Counts the queries.
        stopwatch: Measures the time.
    """

    def __init__(self, oracle: Oracle, stopwatch: Stopwatch) -> None:
        self._oracle = oracle
        self._stopwatch = stopwatch
        self._before = {"samples": 0.0, "seconds": 0.0}

    def state_dict(self) -> dict[str, Any]:
        """Where the last whole epoch ended."""
        return dict(self._before)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self._before = dict(state_dict)

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Log an epoch."""
        assert isinstance(module, Learner)
        now = {"samples": float(module.samples), "seconds": self._stopwatch.seconds}
        samples, seconds = (now[name] - self._before[name] for name in ("samples", "seconds"))
        self._before = now
        row = {
            "train/loss": module.mean_loss,
            "train/learning_rate": module.learning_rate,
            "train/samples_per_second": samples / seconds if seconds else 0.0,
            "queries": self._oracle.asked,
        }
        for logger in trainer.loggers:
            logger.log_metrics(row, trainer.global_step)
            logger.save()
