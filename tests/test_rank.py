import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mimicbench.errors import UserError
from mimicbench.rank import ALONE, Rank

TORCHRUN = {"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "6", "RANK": "4", "LOCAL_RANK": "1"}
SLURM = {"SLURM_NTASKS": "6", "SLURM_NTASKS_PER_NODE": "3", "SLURM_PROCID": "4", "SLURM_LOCALID": "1"}
COUNTS = st.integers(1, 5)


@given(samples=st.integers(1, 70), batch_size=st.integers(5, 20), count=COUNTS)
def test_all_ranks_together_take_each_sample_once_and_of_each_batch_about_as_many(
    samples: int, batch_size: int, count: int
) -> None:
    ranks = [Rank(number, count) for number in range(count)]
    taken = [np.arange(samples)[rank.rows(samples, batch_size)] for rank in ranks]
    assert sorted(np.concatenate(taken)) == list(range(samples))
    for start in range(0, samples, batch_size):
        parts = [((start <= rows) & (rows < start + batch_size)).sum() for rows in taken]
        assert max(parts) - min(parts) <= 1


@given(samples=st.integers(1, 70), batch_size=st.integers(5, 20), count=COUNTS)
def test_weighted_mean_losses_of_ranks_have_the_mean_loss_of_the_batch_as_their_mean(
    samples: int, batch_size: int, count: int
) -> None:
    losses = np.random.default_rng(0).random(samples)
    totals = np.zeros(-(-samples // batch_size))
    for number in range(count):
        rank = Rank(number, count)
        own = losses[rank.rows(samples, batch_size)]
        batches = rank.batches(samples, batch_size)
        assert len(batches) == len(totals)
        for place, (part, weight) in enumerate(batches):
            taken, own = own[:part], own[part:]
            totals[place] += weight * taken.mean() / count if part else 0.0
        assert not len(own)
    expected = [losses[start : start + batch_size].mean() for start in range(0, samples, batch_size)]
    np.testing.assert_allclose(totals, expected)


@given(samples=st.integers(0, 70), count=COUNTS)
def test_parts_follow_each_other(samples: int, count: int) -> None:
    parts = [Rank(number, count).part(samples) for number in range(count)]
    assert [start for start, _ in parts] == [0, *(stop for _, stop in parts[:-1])]
    assert parts[-1][1] == samples


def started_by(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOCAL_RANK", "NODE_RANK", "RANK", "SLURM_NTASKS", "SLURM_PROCID", "SLURM_JOB_NAME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("environment", "rank"),
    [
        ({}, Rank(0, 6, 0)),
        ({"LOCAL_RANK": "2", "NODE_RANK": "0"}, Rank(2, 6, 2)),
        ({"LOCAL_RANK": "2", "NODE_RANK": "1"}, Rank(5, 6, 2)),
        (TORCHRUN, Rank(4, 6, 1)),
        (SLURM, Rank(4, 6, 1)),
    ],
)
def test_what_starts_a_process_tells_its_rank(
    environment: dict[str, str], rank: Rank, monkeypatch: pytest.MonkeyPatch
) -> None:
    started_by(environment, monkeypatch)
    assert Rank.of_this_process(3, 2) == rank
    assert Rank.of_this_process(1, 1) == ALONE


@pytest.mark.parametrize("environment", [TORCHRUN, SLURM])
def test_another_number_of_processes_is_refused(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    started_by(environment, monkeypatch)
    with pytest.raises(UserError, match="num_nodes is 4, but 6 processes were started"):
        Rank.of_this_process(2, 2)


def test_slurm_tasks_of_an_unknown_place_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    started_by({"SLURM_NTASKS": "2"}, monkeypatch)
    monkeypatch.delenv("SLURM_NTASKS_PER_NODE", raising=False)
    with pytest.raises(UserError, match="--ntasks-per-node=2"):
        Rank.of_this_process(2, 1)


def test_a_job_in_one_process_gathers_its_own_value() -> None:
    assert ALONE.gathered("value") == ["value"]
