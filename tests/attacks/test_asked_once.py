from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from mimicbench.attacks.asked_once import asked_once
from mimicbench.errors import QueryBudgetExceeded
from mimicbench.oracles.softmax import Softmax
from tests.standins import CPU, SpyMentor

IMAGES = torch.rand(10, 3, 4, 4, generator=torch.manual_seed(0))


def query(start: int, stop: int) -> Tensor:
    return IMAGES[start:stop]


def test_replies_come_in_order_and_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "new" / "replies.npy"
    replies = asked_once(file, Softmax(SpyMentor(), budget=None), query, 10, 4, CPU)
    torch.testing.assert_close(replies, SpyMentor()(IMAGES), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(np.load(file), replies)
    assert {path.name for path in file.parent.iterdir()} <= {"replies.npy", "replies.lock"}


@pytest.mark.parametrize("covered", [0, 5, 9])
def test_nothing_is_kept_when_the_budget_does_not_cover_all(covered: int, tmp_path: Path) -> None:
    oracle = Softmax(SpyMentor(), budget=10)
    oracle.recall(10 - covered)
    with pytest.raises(QueryBudgetExceeded):
        asked_once(tmp_path / "replies.npy", oracle, query, 10, 4, CPU)
    assert list(tmp_path.rglob("*.npy")) == []


def test_nothing_is_kept_when_the_mentor_fails_midway(tmp_path: Path) -> None:
    class Failing(SpyMentor):
        def __call__(self, images: Tensor) -> Tensor:
            if len(self.seen) == 2:
                raise KeyboardInterrupt
            return super().__call__(images)

    with pytest.raises(KeyboardInterrupt):
        asked_once(tmp_path / "replies.npy", Softmax(Failing(), budget=None), query, 10, 4, CPU)
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".lock"] == []


def test_replies_kept_for_a_list_of_another_length_are_not_used(tmp_path: Path) -> None:
    file = tmp_path / "replies.npy"
    asked_once(file, Softmax(SpyMentor(), budget=None), query, 6, 4, CPU)
    oracle = Softmax(SpyMentor(), budget=None)
    assert len(asked_once(file, oracle, query, 10, 4, CPU)) == oracle.asked == len(np.load(file)) == 10


def test_of_ranks_that_come_at_once_one_asks_and_all_have_its_replies(tmp_path: Path) -> None:
    mentor = SpyMentor()
    oracles = [Softmax(mentor, budget=10) for _ in range(4)]
    with ThreadPoolExecutor(4) as ranks:
        replies = list(
            ranks.map(lambda oracle: asked_once(tmp_path / "replies.npy", oracle, query, 10, 4, CPU), oracles)
        )
    assert len(mentor.asked) == 10
    assert {oracle.asked for oracle in oracles} == {10}
    for one in replies:
        assert torch.equal(one, replies[0])
