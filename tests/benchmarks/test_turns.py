import time
from typing import Any

import lightning as L  # noqa: N812
import pytest
import torch
from torch import nn

from mimicbench.benchmarks.turns import Turns, seconds_of
from mimicbench.learner import Learner
from tests.standins import ListedChunks, make_recipe, make_trainer


class Slow(L.Callback):
    """Takes its time in each part of an epoch."""

    def on_train_batch_end(self, *_: Any) -> None:
        time.sleep(0.1)

    def on_validation_epoch_end(self, *_: Any) -> None:
        time.sleep(1)

    def on_train_epoch_end(self, *_: Any) -> None:
        time.sleep(0.05)  # as a checkpoint does


class Validated(Learner):
    def validation_step(self, *_: Any) -> None:
        pass


def test_every_epoch_but_the_first_is_timed_without_its_evaluation() -> None:
    chunks = ListedChunks(torch.rand(8, 3, 1, 1), torch.eye(5)[:4].repeat(2, 1), 4)
    measured = iter([{"other": 1.0}, {"other": 2.0}])

    def measure() -> dict[str, float]:
        time.sleep(1)
        return next(measured)

    turns = Turns(measure)
    learner = Validated(nn.Sequential(nn.Flatten(), nn.Linear(3, 5)), make_recipe(batch_size=2), 12, 5)
    make_trainer(3, callbacks=[turns, Slow()]).fit(learner, chunks, chunks)  # type: ignore[arg-type]
    assert turns.measured == [{"other": 1.0}, {"other": 2.0}]
    assert len(turns.seconds) == 2
    assert all(0.25 <= seconds < 0.95 for seconds in turns.seconds)


def test_work_is_timed_after_a_warm_up() -> None:
    slept = iter([0.5, 0.1, 0.1])
    assert seconds_of(lambda: time.sleep(next(slept)), 2) == pytest.approx(0.2, abs=0.15)
