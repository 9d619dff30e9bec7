import sqlite3
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mimicbench.errors import UserError
from mimicbench.mentors.replies import Account, Replies


def of_job(file: Path, payer: str) -> Replies:
    store = Replies(file)
    store.payer = payer
    return store


def named(*numbers: int) -> list[bytes]:
    return [number.to_bytes(16, "big") for number in numbers]


def answers(*numbers: int) -> np.ndarray:
    return np.array([[number, 0.5] for number in numbers], dtype=np.float32)


def paid(store: Replies, *numbers: int, training: bool = True, retried: int = 0, doubtful: int = 0) -> None:
    store.sending("r", len(numbers))
    for number in range(retried):
        store.again("r", number < doubtful)
    store.keep("r", named(*numbers), answers(*numbers), training=training)


def test_what_is_kept_is_found_by_another_process(tmp_path: Path) -> None:
    paid(of_job(tmp_path / "a.sqlite", "one"), 3, 1, 2)
    found = of_job(tmp_path / "a.sqlite", "two").find(named(1, 2, 4))
    assert found.keys() == set(named(1, 2))
    np.testing.assert_array_equal(found[named(2)[0]], answers(2)[0])


@given(st.lists(st.lists(st.integers(0, 2000), unique=True, max_size=600), max_size=4))
def test_a_store_is_a_dictionary(tmp_path_factory: pytest.TempPathFactory, requests: list[list[int]]) -> None:
    store = of_job(tmp_path_factory.mktemp("store") / "a.sqlite", "job")
    known = {}
    for request in requests:
        paid(store, *request)
        known |= dict(zip(named(*request), answers(*request), strict=True))
    found = store.find(named(*range(2001)))
    assert found.keys() == known.keys()
    assert all(np.array_equal(found[key], known[key]) for key in known)
    assert store.account.training == len(known)


def test_each_job_pays_for_what_it_asked_first(tmp_path: Path) -> None:
    first, second = (of_job(tmp_path / "a.sqlite", name) for name in ("one", "two"))
    paid(first, 1, 2, 3, retried=2, doubtful=1)
    paid(first, 4, training=False, retried=1)
    paid(second, 5, 1)
    assert first.account == Account(training=3, measuring=1, in_doubt=3, retried=3)
    assert second.account == Account(training=1, measuring=0, in_doubt=0, retried=0)


def test_what_was_sent_and_never_kept_is_in_doubt(tmp_path: Path) -> None:
    killed = of_job(tmp_path / "a.sqlite", "one")
    killed.sending("a", 64)
    killed.sending("b", 8)
    killed.again("b", doubtful=True)
    killed.again("b", doubtful=False)
    again = of_job(tmp_path / "a.sqlite", "two")
    with again.alone():
        again.settle()
        again.settle()
    assert killed.account.in_doubt == 80
    assert killed.account.retried == 2
    assert again.account.in_doubt == 0


def test_a_file_that_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "a.sqlite").write_bytes(b"something else entirely, and long enough to be looked at" * 100)
    with pytest.raises(UserError, match="is damaged"):
        of_job(tmp_path / "a.sqlite", "job")


def test_a_file_that_cannot_be_opened_is_not_to_be_thrown_away(tmp_path: Path) -> None:
    (tmp_path / "a.sqlite").mkdir()
    with pytest.raises(UserError, match=r"cannot be opened .*see paths\.cache_dir") as error:
        of_job(tmp_path / "a.sqlite", "job")
    assert "move it away" not in str(error.value)


def test_answers_are_stored_as_little_endian_floats(tmp_path: Path) -> None:
    paid(of_job(tmp_path / "a.sqlite", "job"), 7)
    ((image, answer),) = sqlite3.connect(tmp_path / "a.sqlite").execute("SELECT image, answer FROM replies")
    assert image == named(7)[0]
    assert answer == np.array([7, 0.5], dtype="<f4").tobytes()


def test_a_reply_costs_microseconds(tmp_path: Path) -> None:
    """Some 10 µs in requests of 64; 1 ms is the alarm, on any disk."""
    store = of_job(tmp_path / "a.sqlite", "job")
    begun = time.perf_counter()
    for start in range(0, 6400, 64):
        paid(store, *range(start, start + 64))
    assert (time.perf_counter() - begun) / 6400 < 1e-3
