"""The curves of a job that its student does not know of: what it has cost so far."""

from typing import Any

import lightning as L  # noqa: N812 (Lightning's own convention)
import torch

from mimicbench.learner import Learner
from mimicbench.oracles import Oracle
from mimicbench.stopwatch import Stopwatch


class Curves(L.Callback):
    """Logs after every epoch: ``queries``, all that were answered so far, and its ``train/samples_per_second``.

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
        # float64, for float32 counts no further than 16 million
        module.log("queries", torch.tensor(self._oracle.asked, dtype=torch.float64))
        module.log("train/samples_per_second", samples / seconds if seconds else 0.0)
