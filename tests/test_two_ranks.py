"""One job in two processes that meet over gloo."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from mimicbench.hardware import cores
from tests.test_train import ROOT, SHORT, result_of, train

pytestmark = pytest.mark.skipif(cores() < 2, reason="needs two cores")
JOB = (
    "experiment=embedded_vgg16",
    *SHORT,
    "attack.samples_per_epoch=304",  # a last batch of 48
    "callbacks.progress_bar.refresh_rate=0",
)


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(folder / "last.ckpt", weights_only=True)["state_dict"]
    return state


def assert_same_weights(folder: Path, other: Path) -> None:
    weights, others = weights_of(folder), weights_of(other)
    assert weights.keys() == others.keys()
    assert all(torch.equal(weights[name], others[name]) for name in weights)


@pytest.fixture(scope="module")
def together(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job whose ranks ``torchrun`` started."""
    folder = tmp_path_factory.mktemp("together") / "run"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "train.py", *JOB]
    done = subprocess.run(
        [*command, "trainer=ddp", f"hydra.run.dir={folder}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {"MIMICBENCH_CACHE": str(cache)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Student accuracy") == 1
    return folder


def test_two_ranks_take_the_steps_that_one_takes(tmp_path: Path) -> None:
    found: list[dict[str, Any]] = []
    for devices in (1, 2):
        file = tmp_path / f"{devices}.pt"
        command = [sys.executable, "-m", "tests.two_ranks", str(file), str(devices)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        found.append(torch.load(file))
    (alone, own), (together, other) = ((one, one.pop("state")) for one in found)
    assert together.pop("losses") == pytest.approx(alone.pop("losses"), rel=1e-9)
    assert together == alone  # measurements, steps, samples, and no synchronised layer left
    assert own.keys() == other.keys()
    for name, value in own.items():
        torch.testing.assert_close(other[name], value, rtol=1e-9, atol=1e-9)


def test_the_result_counts_what_both_ranks_did_once(together: Path, cache: Path, tmp_path: Path) -> None:
    assert train(cache, *JOB, f"hydra.run.dir={tmp_path}").returncode == 0
    alone, result = result_of(tmp_path), result_of(together)
    for key in ("queries", "sgd_steps", "epochs", "mentor_accuracy"):
        assert result[key] == alone[key]
    assert result["queries"]["total"] == 608
    assert result["device"].startswith("2 × CPU, 1 thread")
    assert sum(map(int, (together / "queries.txt").read_text().splitlines()[1:])) == 608
    assert not list(together.glob("wandb*"))


def test_in_a_sweep_whose_first_job_fails_lightning_starts_the_ranks_of_the_second_right(
    together: Path, cache: Path, tmp_path: Path
) -> None:
    grid = "attack.samples_per_epoch=257,304"  # 257: a last batch of one sample, which two ranks cannot divide
    done = train(cache, "-m", *JOB, grid, "trainer=ddp", f"hydra.sweep.dir={tmp_path}")
    assert done.returncode == 1
    assert "2 devices cannot divide an SGD batch of 1 samples" in done.stderr
    failed, finished = sorted(path for path in tmp_path.iterdir() if path.is_dir())
    assert not (failed / "result.json").exists()
    assert_same_weights(finished, together)
    assert result_of(finished)["queries"]["total"] == 608


def test_a_launcher_that_gives_jobs_no_process_is_refused(cache: Path, tmp_path: Path) -> None:
    done = train(cache, "-m", *JOB, "trainer=ddp", "hydra/launcher=basic", f"hydra.sweep.dir={tmp_path}")
    assert done.returncode == 1
    assert "choose hydra/launcher=process." in done.stderr
    assert "Traceback" not in done.stderr
