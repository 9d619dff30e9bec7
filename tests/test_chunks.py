import threading

import pytest
import torch

from mimicbench.chunks import Chunks
from mimicbench.learner import Samples


def numbers(start: int, stop: int) -> Samples:
    return torch.arange(start, stop), torch.zeros(stop - start)


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("taken", [0, 1, 3, 4])
def test_a_walk_goes_on_where_it_was_cut_off(taken: int, ahead: bool) -> None:
    first = Chunks(22, 7, numbers, ahead=ahead)
    assert len(first) == 4
    walk = iter(first)
    before = [next(walk)[0] for _ in range(taken)]
    second = Chunks(22, 7, numbers, ahead=ahead)
    second.load_state_dict(first.state_dict())
    after = [images for images, *_ in second]
    assert torch.cat([*before, *after]).tolist() == list(range(22))
    assert second.state_dict() == {"taken": 4}
    assert len(list(second)) == 4  # the next walk is a whole one


class Maker:
    """Makes a chunk when it is let, and counts what it has made."""

    def __init__(self) -> None:
        self.let = threading.Semaphore(0)
        self.made = 0

    def __call__(self, start: int, stop: int) -> Samples:
        assert self.let.acquire(timeout=30)
        self.made += stop - start
        return numbers(start, stop)


def test_the_next_chunk_is_made_while_one_is_learned_from() -> None:
    make = Maker()
    chunks = Chunks(22, 7, make, lambda: make.made, ahead=True)
    assert chunks.counted == 0
    walk = iter(chunks)
    make.let.release(2)
    next(walk)
    while make.made < 14:  # by the other thread, while this one learns
        threading.Event().wait(0.01)
    assert chunks.counted == 7  # what a killed process would have to ask for again is not counted
    assert chunks.state_dict() == {"taken": 1}
    next(walk)
    assert chunks.counted == 14
    make.let.release(2)
    assert [stop.tolist()[-1] for stop, *_ in walk] == [20, 21]
    assert chunks.counted == 22


def test_no_more_than_one_chunk_is_made_ahead() -> None:
    make = Maker()
    make.let.release(9)
    walk = iter(Chunks(35, 7, make, ahead=True))
    next(walk)
    walk.close()  # type: ignore[attr-defined]
    assert make.made == 14


def test_waiting_is_measured() -> None:
    def slow(start: int, stop: int) -> Samples:
        threading.Event().wait(0.05)
        return numbers(start, stop)

    for ahead, low, high in ((False, 0.2, 0.35), (True, 0.05, 0.19)):
        chunks = Chunks(28, 7, slow, ahead=ahead)
        for _ in chunks:
            threading.Event().wait(0.06)  # learn
        assert low <= chunks.waited < high, ahead


def test_what_goes_wrong_ahead_is_met_in_its_turn() -> None:
    def failing(start: int, stop: int) -> Samples:
        if start == 14:
            raise ValueError("here")
        return numbers(start, stop)

    walk = iter(Chunks(22, 7, failing, ahead=True))
    assert [len(next(walk)[0]) for _ in range(2)] == [7, 7]
    with pytest.raises(ValueError, match="here"):
        next(walk)
