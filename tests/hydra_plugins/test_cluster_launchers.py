"""Sweeps on a cluster: on Ray's own, started here; and on a stand-in for SLURM."""

import subprocess
import sys
from pathlib import Path

import pytest

from mimicbench.hardware import cores
from tests.hydra_plugins import slurm_stand_in
from tests.test_train import SHORT, result_of, train

JOB = (*SHORT, "attack.samples_per_epoch=304", "callbacks.progress_bar.refresh_rate=0")


def test_ray_runs_the_jobs_of_a_sweep_side_by_side(cache: Path, tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_ray_launcher")
    sweep = [f"hydra.sweep.dir={tmp_path}", "hydra/launcher=ray_cluster", "hydra.launcher.ray.init.num_cpus=2"]
    done = train(cache, "-m", *JOB, "seed=0,1", *sweep)
    assert done.returncode == 0, done.stderr
    first, second = (result_of(tmp_path / f"{seed}-composite-label-seed{seed}") for seed in (0, 1))
    assert (first["seed"], second["seed"]) == (0, 1)
    assert (tmp_path / "summary.md").exists()
    assert first["threads"] == second["threads"] == 1
    assert first["queries"]["total"] == second["queries"]["total"] == 608


def test_what_slurm_is_told_and_what_its_tasks_do(cache: Path, tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    if cores() < 2:
        pytest.skip("needs two cores")
    (tmp_path / "bin").mkdir()
    environment = slurm_stand_in.install(tmp_path / "bin")
    options = ["hydra/launcher=slurm", "hydra.launcher.partition=long", "hydra.launcher.gpus_per_node=0"]
    sweep = [f"hydra.sweep.dir={tmp_path / 'sweep'}", "seed=3,4", "trainer=ddp"]
    done = train(cache, "-m", *JOB, *sweep, *options, environment=environment)
    assert done.returncode == 0, done.stderr
    script = (tmp_path / "bin" / "submitted.sh").read_text()
    for line in ("nodes=1", "ntasks-per-node=2", "cpus-per-task=2", "mem=16GB", "time=1440", "partition=long"):
        assert f"#SBATCH --{line}\n" in script
    assert "#SBATCH --array=0-1%2\n" in script
    assert f"{sys.executable} -u -m submitit.core._submit" in script
    assert subprocess.run(["bash", "-n", "-"], input=script, text=True, check=False).returncode == 0
    for seed in (3, 4):
        result = result_of(tmp_path / "sweep" / f"{seed - 3}-composite-label-seed{seed}")
        assert result["seed"] == seed
        assert result["device"].startswith("2 × CPU")
        assert result["queries"]["total"] == 608
