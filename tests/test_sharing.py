import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mimicbench import sharing
from mimicbench.hardware import Hardware
from mimicbench.learner import Learner
from mimicbench.paths import Paths
from mimicbench.sharing import SharedCores
from tests.standins import ListedChunks, make_recipe, make_trainer

JOB = """
import sys
from pathlib import Path
from mimicbench import sharing
sharing.cores = lambda: 4
job = sharing.SharedCores(Path(sys.argv[1]), 4)
job.on_train_batch_start()
print("training", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def four_cores(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = torch.get_num_threads()
    monkeypatch.setattr(sharing, "cores", lambda: 4)
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def threads_of(job: SharedCores) -> int:
    job.on_train_batch_start()
    return torch.get_num_threads()


def start_another(folder: Path) -> "subprocess.Popen[str]":
    job = subprocess.Popen(
        [sys.executable, "-c", JOB, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert job.stdout is not None
    assert job.stdout.readline() == "training\n"
    return job


def test_a_job_alone_takes_all_cores(tmp_path: Path) -> None:
    job = SharedCores(tmp_path / "cores", 4)
    assert [threads_of(job), threads_of(job)] == [4, 4]
    assert not job.shared


def test_jobs_in_other_processes_count_and_leave_their_cores_when_killed(tmp_path: Path) -> None:
    own = SharedCores(tmp_path, 4)
    assert threads_of(own) == 4
    other = start_another(tmp_path)
    assert threads_of(own) == 2
    other.kill()
    other.wait()
    assert threads_of(own) == 4
    assert own.shared


def test_jobs_divide_the_cores_as_they_come_and_go(tmp_path: Path) -> None:
    jobs = [SharedCores(tmp_path, 4) for _ in range(6)]
    assert [threads_of(job) for job in jobs] == [4, 2, 1, 1, 1, 1]
    assert threads_of(jobs[0]) == 1
    for job in jobs[1:4]:
        job.teardown()
    assert threads_of(jobs[0]) == 4
    assert threads_of(jobs[5]) == 2  # there was no place for it before
    assert threads_of(jobs[0]) == 2


def test_ranks_of_one_job_divide_the_cores_and_are_no_other_job(tmp_path: Path) -> None:
    ranks = [SharedCores(tmp_path, 4, ranks=2) for _ in range(2)]
    assert [threads_of(rank) for rank in ranks] == [2, 2]
    assert not ranks[0].shared | ranks[1].shared
    other = SharedCores(tmp_path, 4)
    assert [threads_of(job) for job in (other, *ranks)] == [1, 1, 1]
    assert all(job.shared for job in (other, *ranks))
    for job in (other, *ranks):
        job.teardown()


@pytest.mark.parametrize(("bound", "threads"), [(False, 2), (True, 4)])
def test_a_task_of_slurm_has_its_cores_to_itself(
    bound: bool, threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if bound:
        monkeypatch.setenv("SLURM_CPUS_PER_TASK", "4")
    cpu = Hardware(torch.device("cpu"), "32-true", "eager")
    job = SharedCores.of(cpu, Paths(tmp_path, tmp_path, tmp_path, tmp_path), ranks=2)
    assert threads_of(job) == threads
    job.teardown()


def test_after_its_training_a_job_is_counted_no_longer(tmp_path: Path) -> None:
    first, second = SharedCores(tmp_path, 4), SharedCores(tmp_path, 4)
    assert [threads_of(first), threads_of(second)] == [4, 2]
    first.teardown()
    assert torch.get_num_threads() == 4
    assert threads_of(second) == 4


def test_a_job_that_fails_leaves_its_cores(tmp_path: Path) -> None:
    class Failing(Learner):
        def training_step(self, *_: Any) -> None:
            other = SharedCores(tmp_path, 4)
            assert threads_of(other) == 2
            other.teardown()
            raise KeyError

    chunks = ListedChunks(torch.rand(4, 3, 1, 1), torch.eye(5)[:4], 2)
    learner = Failing(nn.Sequential(nn.Flatten(), nn.Linear(3, 5)), make_recipe(batch_size=2), 2, 5)
    with pytest.raises(KeyError):
        make_trainer(callbacks=[SharedCores(tmp_path, 4)]).fit(learner, chunks)  # type: ignore[arg-type]
    assert torch.get_num_threads() == 4
    assert threads_of(SharedCores(tmp_path, 4)) == 4


def test_a_job_that_comes_within_a_chunk_gets_its_share_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "_SECONDS", 0.0)
    own, other, threads = SharedCores(tmp_path, 4), SharedCores(tmp_path, 4), []

    class Watched(Learner):
        def _take_step(self, *given: Any) -> torch.Tensor:
            if len(threads) == 2:
                other.divide()
                torch.set_num_threads(4)  # the other one is no other process
            if len(threads) == 4:
                other.teardown()
            threads.append(torch.get_num_threads())
            return super()._take_step(*given)

    chunks = ListedChunks(torch.rand(12, 3, 1, 1), torch.eye(5)[[0] * 12], 12)
    learner = Watched(nn.Sequential(nn.Flatten(), nn.Linear(3, 5)), make_recipe(batch_size=2), 6, 5)
    make_trainer(callbacks=[own]).fit(learner, chunks)  # type: ignore[arg-type]
    assert threads == [4, 4, 4, 2, 4, 4]


def test_cores_are_shared_for_a_while(tmp_path: Path) -> None:
    own, other = SharedCores(tmp_path, 4), SharedCores(tmp_path, 4)
    with own:
        assert threads_of(other) == 2
    assert threads_of(other) == 4
    other.teardown()


def test_no_more_threads_than_allowed(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    assert threads_of(SharedCores(tmp_path, 1)) == 1
    assert not list(tmp_path.iterdir())


def test_without_a_place_for_the_locks_all_cores_are_taken(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert threads_of(SharedCores(tmp_path / "file" / "cores", 4)) == 4


@pytest.mark.parametrize(
    ("device", "step", "known"), [("cpu", "eager", 1), ("cpu", "compiled", 1), ("cuda", "eager", 0)]
)
def test_who_shares(device: str, step: Any, known: int, tmp_path: Path) -> None:
    job = SharedCores.of(Hardware(torch.device(device), "32-true", step), Paths(tmp_path, tmp_path, tmp_path, tmp_path))
    job.on_train_batch_start()
    assert len(list(tmp_path.rglob("0.lock"))) == known
    job.teardown()
