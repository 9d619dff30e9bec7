"""Sweeps as a user starts them, cut short."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from hydra_plugins.mimicbench_process_launcher import ProcessLauncher, _is_sweeps_own, _quoted
from mimicbench.errors import UserError
from tests.test_train import ONE_THREAD, SHORT, TWO_AT_A_TIME, train

ONE = (*SHORT, "trainer.max_epochs=1")


def results_of(sweep: Path) -> dict[str, Any]:
    return {str(file.parent.relative_to(sweep)): json.loads(file.read_text()) for file in sweep.rglob("result.json")}


def test_the_same_command_finishes_a_sweep(cache: Path, tmp_path: Path) -> None:
    sweep = tmp_path / "with 'quotes', spaces and = signs"
    place = "hydra.sweep.dir=" + _quoted(str(sweep))
    done = train(cache, "-m", *ONE, "seed=0,1", place, *TWO_AT_A_TIME, environment=ONE_THREAD)
    assert done.returncode == 0, done.stderr
    first = results_of(sweep)
    assert [(name, result["seed"]) for name, result in sorted(first.items())] == [
        ("0-composite-label-seed0", 0),
        ("1-composite-label-seed1", 1),
    ]
    (sweep / "1-composite-label-seed1" / "result.json").unlink()  # as if it had been killed
    done = train(cache, "-m", *ONE, "seed=2,1,0", place, environment=ONE_THREAD)  # other numbers, and one more
    assert done.returncode == 0, done.stderr
    assert "0-composite-label-seed0: done already" in done.stderr
    assert "1-composite-label-seed1: done in" in done.stderr
    assert "0-composite-label-seed2: done in" in done.stderr
    again = results_of(sweep)
    assert [again[name]["seed"] for name in sorted(again)] == [0, 2, 1]
    assert again["0-composite-label-seed0"] == first["0-composite-label-seed0"]
    for key in ("student_accuracy", "fidelity", "queries"):
        assert again["1-composite-label-seed1"][key] == first["1-composite-label-seed1"][key]
    assert again["1-composite-label-seed1"]["sgd_steps"] == 3


def test_a_changed_grid_takes_no_result_of_another_job(cache: Path, tmp_path: Path) -> None:
    for rate, waiting in (("0.05", False), ("0.06", True)):
        done = train(cache, "-m", *ONE, f"attack.recipe.learning_rate={rate}", "seed=0", f"hydra.sweep.dir={tmp_path}")
        assert done.returncode == 0, done.stderr
        assert "done already" not in done.stderr
        assert ("seed0_2: done in" in done.stderr) == waiting
    rates = {result["config"]["attack"]["recipe"]["learning_rate"] for result in results_of(tmp_path).values()}
    assert rates == {0.05, 0.06}


def test_the_failed_job_is_named_with_the_end_of_its_log(cache: Path, tmp_path: Path) -> None:
    done = train(cache, "-m", *ONE, "attack.images=1,2", *TWO_AT_A_TIME, f"hydra.sweep.dir={tmp_path}")
    assert done.returncode != 0
    assert "1 of 2 jobs failed" in done.stderr
    assert done.stderr.count("attack.images=1 is refused") == 1
    assert f"the end of {tmp_path}/0-composite-label-seed0/job.log" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(results_of(tmp_path)) == ["1-composite-label-seed0"]
    assert len(pd.read_csv(tmp_path / "summary.csv")) == 1
    assert "summary.csv and summary.md hold the same" in done.stdout  # the table of the others is printed


def test_a_job_sees_the_sweeps_config_files_and_hydra_options(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "own" / "oracle").mkdir(parents=True)
    (tmp_path / "own" / "oracle" / "mine.yaml").write_text(
        "name: mine\n_target_: mimicbench.oracles.softmax.Softmax\nbudget: null\n"
    )
    (tmp_path / "own" / "mine.yaml").write_text("defaults: [train, _self_]\nseed: 5\n")
    options = ["--config-dir", str(tmp_path / "own"), "--config-name", "mine", "+hydra.job.env_set.OF_THE_JOB=1"]
    done = train(cache, "-m", *options, *ONE, "oracle=mine", f"hydra.sweep.dir={tmp_path / 'sweep'}")
    assert done.returncode == 0, done.stderr
    ((name, result),) = results_of(tmp_path / "sweep").items()
    assert (result["oracle"], result["seed"]) == ("mine", 5)
    assert "OF_THE_JOB" in (tmp_path / "sweep" / name / ".hydra" / "hydra.yaml").read_text()


@pytest.mark.parametrize(
    ("visible", "n_jobs", "gpus_per_job", "expected"),
    [
        ("", None, 1, [None]),
        ("", 3, 1, [None] * 3),
        ("0,1,2,3", None, 1, ["0", "1", "2", "3"]),
        ("4,5,6,7,8", None, 2, ["4,5", "6,7"]),
        ("GPU-a, GPU-b", 1, 1, ["GPU-a"]),
        ("0,1", 3, 1, ["0", "1", "0"]),  # more jobs than GPUs share them
    ],
)
def test_each_job_gets_gpus_of_its_own(
    visible: str, n_jobs: int | None, gpus_per_job: int, expected: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    slots = ProcessLauncher(n_jobs, gpus_per_job)._slots()
    assert [slot.get("CUDA_VISIBLE_DEVICES") for slot in slots] == expected


def test_more_gpus_a_job_than_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    with pytest.raises(UserError, match=r"gpus_per_job=3, but there are 2 GPUs"):
        ProcessLauncher(None, 3)._slots()
    with pytest.raises(UserError, match=r"should be 1 or more"):
        ProcessLauncher(0, 1)


@given(st.text("ab'\\\\ =,$[]{}\"#", max_size=8))
def test_any_text_passes_through_hydras_grammar(text: str) -> None:
    assert OverridesParser.create().parse_override(f"key={_quoted(text)}").value() == text


@pytest.mark.parametrize(
    ("override", "own"),
    [
        *((one, True) for one in ("hydra.sweep.dir=a", "hydra/launcher=process", "hydra.launcher.n_jobs=2")),
        *((one, True) for one in ("hydra.mode=MULTIRUN", "hydra/sweeper=basic", "hydra.run.dir=a")),
        *((one, False) for one in ("hydra.verbose=true", "+hydra.job.env_set.A=1", "hydra/job_logging=disabled")),
    ],
)
def test_what_concerns_the_sweep_alone_is_not_passed_on(override: str, own: bool) -> None:
    assert _is_sweeps_own(override) == own
