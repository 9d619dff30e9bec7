import time

import pytest
import torch

from mimicbench.learner import Learner
from mimicbench.stopwatch import Stopwatch
from tests.standins import ListedChunks, make_recipe, make_trainer


class Slow(Learner):
    """A chunk takes 50 ms, an evaluation 200 ms."""

    def training_step(self, *_: object) -> None:
        time.sleep(0.05)

    def validation_step(self, *_: object) -> None:
        time.sleep(0.2)

    def on_train_epoch_end(self) -> None:
        time.sleep(0.1)


def test_counts_all_training_and_no_evaluation() -> None:
    stopwatch = Stopwatch()
    learner = Slow(torch.nn.Linear(1, 2), make_recipe(), 6, 2)
    chunks = ListedChunks(torch.zeros(4, 1), torch.zeros(4, 2), 2)
    make_trainer(3, callbacks=[stopwatch]).fit(learner, chunks, ListedChunks(torch.zeros(1, 1), torch.zeros(1, 2), 1))
    assert stopwatch.seconds == pytest.approx(6 * 0.05, abs=0.15)
    assert stopwatch.seconds >= 6 * 0.05
