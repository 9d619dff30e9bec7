import pytest
import torch
from torch import nn

from mimicbench.learner import Learner
from mimicbench.progress_bar import ProgressBar
from tests.standins import ListedChunks, make_recipe, make_trainer


def test_the_bar_says_who_learns_and_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    learner = Learner(nn.Sequential(nn.Linear(1, 2)), make_recipe(batch_size=2), 4, 2)
    chunks = ListedChunks(torch.zeros(4, 1), torch.full((4, 2), 0.5), 2)
    trainer = make_trainer(2, callbacks=[ProgressBar(learner="Mentor")], enable_progress_bar=True)
    trainer.fit(learner, chunks)
    printed = capsys.readouterr().out
    for epoch in (1, 2):
        assert f"Mentor, epoch {epoch} of 2: 100%" in printed
