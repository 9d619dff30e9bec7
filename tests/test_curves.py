from types import SimpleNamespace
from typing import Any

import pytest
from torch import nn

from mimicbench.curves import Curves
from mimicbench.learner import Learner
from mimicbench.oracles.label import Label
from mimicbench.stopwatch import Stopwatch
from tests.standins import SpyMentor, make_recipe


class Logging(Learner):
    def __init__(self) -> None:
        super().__init__(nn.Linear(1, 2), make_recipe(), 1, 2)
        self.logged: dict[str, float] = {}

    def log(self, name: str, value: Any, **_: Any) -> None:  # type: ignore[override]
        self.logged[name] = float(value)


def test_queries_so_far_and_the_speed_of_each_epoch_also_after_a_checkpoint() -> None:
    oracle, stopwatch, learner, trainer = Label(SpyMentor(), budget=None), Stopwatch(), Logging(), SimpleNamespace()
    curves = Curves(oracle, stopwatch)
    oracle.asked, stopwatch.seconds, learner.samples = 16_777_217, 2.0, 100  # one more than float32 can count
    curves.on_train_epoch_end(trainer, learner)  # type: ignore[arg-type]
    assert learner.logged == {"queries": 16_777_217, "train/samples_per_second": 50}
    resumed = Curves(oracle, stopwatch)
    resumed.load_state_dict(curves.state_dict())
    oracle.asked, stopwatch.seconds, learner.samples = 30_000_000, 4.0, 500
    resumed.on_train_epoch_end(trainer, learner)  # type: ignore[arg-type]
    assert learner.logged == {"queries": 30_000_000, "train/samples_per_second": pytest.approx(200)}
