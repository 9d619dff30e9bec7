import threading
import weakref
from time import sleep

import pytest
import torch

from mimicbench.chunks import Chunks
from mimicbench.learner import Samples
from tests.standins import until


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


def test_without_a_thread_ahead_a_chunk_is_gone_before_the_next_is_made() -> None:
    kept: list[weakref.ref[torch.Tensor]] = []

    def make(start: int, stop: int) -> Samples:
        assert all(images() is None for images in kept)
        images, replies = numbers(start, stop)
        kept.append(weakref.ref(images))
        return images, replies

    for chunk in Chunks(22, 7, make):
        assert kept[-1]() is chunk[0]
        del chunk
    assert len(kept) == 4


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
    until(lambda: make.made == 14)  # by the other thread, while this one learns
    assert chunks.counted == 7  # what a killed process would have to ask for again is not counted
    assert chunks.state_dict() == {"taken": 1}
    next(walk)
    assert chunks.counted == 14
    make.let.release(2)
    assert [stop.tolist()[-1] for stop, *_ in walk] == [20, 21]
    assert chunks.counted == 22


def test_the_count_is_taken_by_the_thread_that_makes_chunks_before_it_makes_another() -> None:
    names: list[str] = []

    def count() -> int:
        names.append(threading.current_thread().name)
        return len(names)

    assert len(list(Chunks(22, 7, numbers, count, ahead=True))) == 4
    assert names[0] == threading.current_thread().name
    assert len(names) == 5
    assert all(name.startswith("making") for name in names[1:])


def test_no_more_than_one_chunk_is_made_ahead() -> None:
    make = Maker()
    make.let.release(9)
    walk = iter(Chunks(35, 7, make, ahead=True))
    next(walk)
    walk.close()  # type: ignore[attr-defined]
    assert make.made == 14


def test_waiting_is_measured() -> None:
    def slow(start: int, stop: int) -> Samples:
        sleep(0.05)
        return numbers(start, stop)

    waited = []
    for ahead in (False, True):
        chunks = Chunks(70, 7, slow, ahead=ahead)
        for _ in chunks:
            sleep(0.05)  # learn
        waited.append(chunks.waited)
    assert waited[0] >= 0.5
    assert 0.05 <= waited[1] < 0.8 * waited[0]


def test_what_goes_wrong_ahead_is_met_in_its_turn() -> None:
    begun = []

    def failing(start: int, stop: int) -> Samples:
        begun.append(start)
        if start == 14:
            raise ValueError("here")
        return numbers(start, stop)

    walk = iter(Chunks(28, 7, failing, ahead=True))
    assert [len(next(walk)[0]) for _ in range(2)] == [7, 7]
    with pytest.raises(ValueError, match="here"):
        next(walk)
    assert begun == [0, 7, 14]
