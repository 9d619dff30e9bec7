import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from mimicbench import sharing
from mimicbench.sharing import SharedCores

JOB = """
import sys
from pathlib import Path
from mimicbench import sharing
sharing.cores = lambda: 4
job = sharing.SharedCores(Path(sys.argv[1]))
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


def start_another(folder: Path) -> "subprocess.Popen[str]":
    job = subprocess.Popen(
        [sys.executable, "-c", JOB, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert job.stdout is not None
    assert job.stdout.readline() == "training\n"
    return job


def test_a_job_alone_takes_all_cores(tmp_path: Path) -> None:
    job = SharedCores(tmp_path / "jobs")
    job.on_train_batch_start()
    job.on_train_batch_start()
    assert torch.get_num_threads() == 4


def test_jobs_side_by_side_divide_the_cores_as_they_come_and_go(tmp_path: Path) -> None:
    own, seen, others = SharedCores(tmp_path), [], []
    for _ in range(5):
        own.on_train_batch_start()
        seen.append(torch.get_num_threads())
        others.append(start_another(tmp_path))
    assert seen == [4, 2, 1, 1, 1]  # four cores among 1, 2, 3, 4 and more jobs
    for other in others[:-1]:
        other.kill()  # a job that is killed leaves its cores too
        other.wait()
    own.on_train_batch_start()
    assert torch.get_num_threads() in (2, 4)  # the fifth found no core free to be counted for
    own.teardown()
    assert torch.get_num_threads() == 4
    assert not SharedCores(tmp_path)._held
    others[-1].kill()
    others[-1].wait()


def test_a_job_that_has_ended_is_counted_no_longer(tmp_path: Path) -> None:
    first, second = SharedCores(tmp_path), SharedCores(tmp_path)
    first.on_train_batch_start()
    first.teardown()
    second.on_train_batch_start()
    assert torch.get_num_threads() == 4


def test_no_more_threads_than_were_allowed(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    job = SharedCores(tmp_path)
    job.on_train_batch_start()
    job.teardown()
    assert torch.get_num_threads() == 1


def test_without_a_place_for_the_locks_all_cores_are_taken(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    job = SharedCores(tmp_path / "file" / "jobs")
    job.on_train_batch_start()
    assert torch.get_num_threads() == 4
