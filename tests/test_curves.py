from types import SimpleNamespace
from typing import Any

import pytest
from torch import nn

from mimicbench.curves import Curves
from mimicbench.learner import Learner
from mimicbench.oracles.label import Label
from mimicbench.stopwatch import Stopwatch
from tests.standins import SpyMentor, make_recipe


class Rows:
    """A logger that keeps its rows."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def log_metrics(self, row: dict[str, Any], step: int) -> None:
        self.rows.append({**row, "step": step})

    def save(self) -> None:
        self.rows[-1]["saved"] = True


class Learnt(Learner):
    mean_loss, learning_rate = 0.5, 0.1  # type: ignore[assignment]


def test_each_epoch_has_a_row_also_after_a_checkpoint() -> None:
    oracle, stopwatch, rows = Label(SpyMentor(), budget=None), Stopwatch(), Rows()
    learner = Learnt(nn.Linear(1, 2), make_recipe(), 1, 2)
    trainer: Any = SimpleNamespace(loggers=[rows], global_step=7)
    curves = Curves(oracle, stopwatch)
    oracle.asked, stopwatch.seconds, learner.samples = 16_777_217, 2.0, 100  # one more than float32 can count
    curves.on_train_epoch_end(trainer, learner)
    resumed = Curves(oracle, stopwatch)
    resumed.load_state_dict(curves.state_dict())
    oracle.asked, stopwatch.seconds, learner.samples = 30_000_000, 4.0, 500
    resumed.on_train_epoch_end(trainer, learner)
    same = {"train/loss": 0.5, "train/learning_rate": 0.1, "step": 7, "saved": True}
    assert rows.rows == [
        {**same, "queries": 16_777_217, "train/samples_per_second": 50},
        {**same, "queries": 30_000_000, "train/samples_per_second": pytest.approx(200)},
    ]
