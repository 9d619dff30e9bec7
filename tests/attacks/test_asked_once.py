import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from mimicbench.attacks.asked_once import AskedOnce
from mimicbench.errors import QueryBudgetExceeded, UserError
from mimicbench.oracles import Oracle
from mimicbench.oracles.softmax import Softmax
from tests.standins import CPU, SpyMentor, until

IMAGES = torch.rand(10, 3, 4, 4, generator=torch.manual_seed(0))


ORDER = np.random.default_rng(0).permutation(10)
ALL = np.arange(10)


def query(places: np.ndarray) -> Tensor:
    return IMAGES[places]


def asked_once(file: Path, oracle: Oracle, count: int = 10) -> AskedOnce:
    return AskedOnce(file, oracle, query, count, 4, CPU, (lambda: ORDER) if oracle.elsewhere else None)


class Elsewhere(SpyMentor):
    """Answers a query when it is let."""

    elsewhere = True

    def __init__(self) -> None:
        super().__init__()
        self.let = threading.Semaphore(0)

    def __call__(self, images: Tensor) -> Tensor:
        assert self.let.acquire(timeout=30)
        return super().__call__(images)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_replies_are_asked_for_in_their_order_and_kept(elsewhere: bool, tmp_path: Path) -> None:
    file, mentor = tmp_path / "new" / "replies.npy", SpyMentor()
    mentor.elsewhere = elsewhere
    replies = asked_once(file, Softmax(mentor, budget=None))
    assert not mentor.seen
    torch.testing.assert_close(replies[ORDER], SpyMentor()(IMAGES)[ORDER], rtol=0, atol=1e-6)
    assert torch.equal(mentor.asked, IMAGES[ORDER if elsewhere else ALL])
    assert replies.settled  # whoever has had the last of them finds all kept
    np.testing.assert_array_equal(np.load(file), replies[ALL])
    assert {path.name for path in file.parent.iterdir()} <= {"replies.npy", "replies.lock"}


@pytest.mark.parametrize("covered", [0, 5, 9])
def test_nothing_is_kept_when_the_budget_does_not_cover_all(covered: int, tmp_path: Path) -> None:
    oracle = Softmax(SpyMentor(), budget=10)
    oracle.recall(10 - covered)
    replies = asked_once(tmp_path / "replies.npy", oracle)
    with pytest.raises(QueryBudgetExceeded):
        replies[ALL]
    assert not replies.settled
    assert list(tmp_path.rglob("*.npy")) == []


def test_nothing_is_kept_when_the_mentor_fails_midway(tmp_path: Path) -> None:
    class Failing(SpyMentor):
        def __call__(self, images: Tensor) -> Tensor:
            if len(self.seen) == 2:
                raise KeyboardInterrupt
            return super().__call__(images)

    with pytest.raises(KeyboardInterrupt):
        asked_once(tmp_path / "replies.npy", Softmax(Failing(), budget=None))[ALL]
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".lock"] == []


def test_replies_kept_for_a_list_of_another_length_are_not_used(tmp_path: Path) -> None:
    file = tmp_path / "replies.npy"
    asked_once(file, Softmax(SpyMentor(), budget=None), 6)[ALL[:6]]
    oracle = Softmax(SpyMentor(), budget=None)
    assert len(asked_once(file, oracle)[ALL]) == oracle.asked == len(np.load(file)) == 10


@pytest.mark.parametrize("elsewhere", [False, True])
def test_of_ranks_that_come_at_once_one_asks_and_all_have_its_replies(elsewhere: bool, tmp_path: Path) -> None:
    mentor = SpyMentor()
    mentor.elsewhere = elsewhere
    oracles = [Softmax(mentor, budget=10) for _ in range(4)]
    with ThreadPoolExecutor(4) as ranks:
        replies = list(ranks.map(lambda oracle: asked_once(tmp_path / "replies.npy", oracle)[ALL], oracles))
    assert len(mentor.asked) == 10
    assert {oracle.asked for oracle in oracles} == {10}
    for one in replies:
        assert torch.equal(one, replies[0])


def test_replies_that_are_there_need_not_wait_for_the_others(tmp_path: Path) -> None:
    mentor = Elsewhere()
    replies = asked_once(tmp_path / "replies.npy", Softmax(mentor, budget=10))
    with ThreadPoolExecutor(1) as student:
        mentor.let.release()
        expected = SpyMentor()(IMAGES)
        torch.testing.assert_close(replies[ORDER[:4]], expected[ORDER[:4]], rtol=0, atol=1e-6)
        later = student.submit(replies.__getitem__, ORDER[3:9])
        mentor.let.release()
        until(lambda: len(mentor.seen) == 2)
        assert not later.done()
        assert not replies.settled
        mentor.let.release()
        torch.testing.assert_close(later.result(30), expected[ORDER[3:9]], rtol=0, atol=1e-6)
    torch.testing.assert_close(replies[ALL], expected, rtol=0, atol=1e-6)


def test_what_a_thread_meets_is_told_to_whoever_waits(tmp_path: Path) -> None:
    mentor = Elsewhere()
    mentor.let.release(9)
    oracle = Softmax(mentor, budget=7)
    replies = asked_once(tmp_path / "replies.npy", oracle)
    with pytest.raises(QueryBudgetExceeded):
        replies[ALL]
    assert oracle.asked == 4


def test_nothing_is_asked_after_a_stop(tmp_path: Path) -> None:
    mentor = Elsewhere()
    replies = asked_once(tmp_path / "replies.npy", Softmax(mentor, budget=10))
    mentor.let.release()
    replies[ORDER[:4]]
    replies.stop()
    mentor.let.release(9)
    with pytest.raises(RuntimeError, match="Nothing is asked for any more"):
        replies[ALL]
    assert len(mentor.asked) <= 8  # one query may have been under way
    assert not replies.settled
    assert list(tmp_path.rglob("*.npy")) == []


def test_a_list_that_cannot_be_kept_is_told_to_whoever_wants_the_last_of_it(tmp_path: Path) -> None:
    mentor = Elsewhere()
    replies = asked_once(tmp_path / "replies.npy", Softmax(mentor, budget=10))
    mentor.let.release()
    replies[ORDER[:4]]
    (tmp_path / "replies.npy").mkdir()  # nothing can be put in its place
    mentor.let.release(9)
    with pytest.raises(UserError, match=r"paths\.output_dir"):
        replies[ORDER[8:]]
    assert not replies.settled
