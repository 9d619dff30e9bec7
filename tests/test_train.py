"""``python train.py`` as a user runs it, cut short."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
NO_REPORT = ("hydra.callbacks.sweep.report=false",)
TWO_AT_A_TIME = ("hydra.launcher.n_jobs=2",)
ONE_THREAD = {"OMP_NUM_THREADS": "1"}  # so that a job's numbers do not depend on those beside it
SHORT = (
    "debug=smoke",
    "mentor.network.width=0.1",
    "student.width=0.1",
    "pool.crops=300",
    "attack.samples_per_epoch=300",
    "trainer.precision=32-true",
)


def train(
    cache: Path, *overrides: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    quick = "-m" in overrides and not any("report" in override for override in overrides)
    return subprocess.run(
        [sys.executable, "train.py", *overrides, *(NO_REPORT if quick else ())],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ
        | {"MIMICBENCH_CACHE": str(cache), "COLUMNS": "120", "MIMICBENCH_DATA": str(cache / "no data")}
        | dict(environment or {}),
    )


def result_of(folder: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return result


def losses_of(folder: Path) -> list[float]:
    losses: list[float] = pd.read_csv(folder / "metrics.csv")["train/loss"].dropna().tolist()
    return losses


@pytest.fixture(scope="module")
def job(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    folder = tmp_path_factory.mktemp("job") / "run"
    return train(cache, *SHORT, f"hydra.run.dir={folder}"), folder


def test_the_embedded_job_ends_with_a_table_and_a_result(
    job: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    done, folder = job
    assert done.returncode == 0, done.stderr
    result = result_of(folder)
    for shown in ("Mentor accuracy", "Student accuracy", "Relative accuracy", "Fidelity", "Queries", "Time"):
        assert shown in done.stdout
    assert f"{result['fidelity']:.2%}" in done.stdout
    for bar in ("Mentor, epoch 1 of 1", "Student, epoch 2 of 2"):
        assert bar in done.stdout + done.stderr or bar.startswith("Mentor")  # another test may have trained it
    assert "GPU available" not in done.stdout + done.stderr  # Lightning's greetings
    if result["mentor_accuracy"] < 0.15:
        assert "hardly more than chance" in done.stdout
    assert (folder / "metrics.csv").exists()
    assert (folder / "last.ckpt").exists()
    assert result["queries"]["total"] == 600
    assert result["sgd_steps"] == 6  # 128 + 128 + 44, twice
    assert result["epochs"] == 2
    assert result["relative_accuracy"] == pytest.approx(result["student_accuracy"] / result["mentor_accuracy"])
    metrics = pd.read_csv(folder / "metrics.csv")
    assert metrics["test/fidelity"].dropna().iloc[-1] == pytest.approx(result["fidelity"])
    assert metrics["step"].max() == 6
    assert metrics["queries"].dropna().tolist() == [300, 600]
    assert metrics["train/samples_per_second"].dropna().min() > 0


def measured(folder: Path) -> dict[str, Any]:
    result = result_of(folder)
    for key in ("train_seconds", "waited_seconds", "samples_per_second"):
        del result[key]
    for key in ("microseconds_per_query", "mentor_microseconds_per_query"):
        del result["protection"][key]
    del result["config"]["paths"]["output_dir"]
    del result["config"]["logger"]["csv"]["save_dir"]
    return result


def test_a_job_is_repeated_from_what_it_left(
    job: tuple[subprocess.CompletedProcess[str], Path], cache: Path, tmp_path: Path
) -> None:
    saved = ["--config-dir", str(job[1] / ".hydra"), "--config-name", "config"]
    again = train(cache, *saved, f"hydra.run.dir={tmp_path / 'again'}")
    assert again.returncode == 0, again.stderr
    assert measured(tmp_path / "again") == measured(job[1])
    assert losses_of(tmp_path / "again") == losses_of(job[1])


def test_another_seed_gives_another_result(
    job: tuple[subprocess.CompletedProcess[str], Path], cache: Path, tmp_path: Path
) -> None:
    other = train(cache, *SHORT, "seed=1", f"hydra.run.dir={tmp_path / 'other'}")
    assert other.returncode == 0, other.stderr
    assert losses_of(tmp_path / "other") != losses_of(job[1])


def test_the_papers_grid_ends_with_one_table_of_all_jobs(cache: Path, tmp_path: Path) -> None:
    mentors = set(cache.glob("mentors/*.ckpt"))
    grid = ("attack=standard,composite", "oracle=softmax,label", "hydra.callbacks.sweep.report=true")
    done = train(cache, "-m", *SHORT, *grid, f"hydra.sweep.dir={tmp_path}", *TWO_AT_A_TIME, environment=ONE_THREAD)
    assert done.returncode == 0, done.stderr
    assert f"{tmp_path}/report.html shows the figures." in done.stdout
    assert (tmp_path / "report" / "accuracy_over_queries.png").exists()
    summary = pd.read_csv(tmp_path / "summary.csv")
    cells = list(zip(summary["attack"], summary["oracle"], strict=True))
    assert cells == [("standard", "softmax"), ("standard", "label"), ("composite", "softmax"), ("composite", "label")]
    assert summary["queries.total"].tolist() == [300, 300, 600, 600]
    assert summary["mentor_accuracy"].nunique() == 1
    markdown = (tmp_path / "summary.md").read_text()
    assert markdown.count("| Standard | Unprotected |") == markdown.count("| Composite | Protected |") == 1
    for row in ("Method", "Mentor status", "Test accuracy", "Relative accuracy", "Fidelity", "Queries"):
        assert row in markdown
    assert done.stdout.count("Unprotected") == 2
    assert len(set(cache.glob("mentors/*.ckpt")) - mentors) <= 1  # all jobs share it


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["attack=compsite"], "composite_once"),  # the right ones are listed
        (["attack.sampels_per_epoch=3"], "sampels_per_epoch"),
        (["+attack.sampels_per_epoch=3"], "did you mean 'samples_per_epoch'?"),
        (["task=cifar10"], "MIMICBENCH_DATA"),
    ],
)
def test_a_users_mistake_is_one_sentence(cache: Path, tmp_path: Path, overrides: list[str], sentence: str) -> None:
    done = train(cache, *SHORT, *overrides, f"hydra.run.dir={tmp_path / 'run'}")
    assert done.returncode != 0
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("result.json"))
    assert not list(tmp_path.rglob("*.ckpt"))


@pytest.mark.parametrize("mode", ["run", "sweep"])
def test_an_output_folder_that_cannot_be_written_is_one_sentence(cache: Path, tmp_path: Path, mode: str) -> None:
    (tmp_path / "file").touch()
    multirun = ["-m"] if mode == "sweep" else []
    done = train(cache, *multirun, *SHORT, f"hydra.{mode}.dir={tmp_path / 'file' / 'below'}")
    assert done.returncode != 0
    assert f"choose another folder as hydra.{mode}.dir" in done.stderr
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr


def test_hydras_own_options_work(cache: Path) -> None:
    shown = train(cache, "--cfg", "job", "attack.images=3")
    assert shown.returncode == 0
    assert "images: 3" in shown.stdout
    helped = train(cache, "--help")
    assert helped.returncode == 0
    assert "attack: composite, composite_once, standard" in helped.stdout
