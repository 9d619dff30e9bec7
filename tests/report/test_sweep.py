from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf

from mimicbench.errors import UserError
from mimicbench.report.sweep import Sweep
from tests.report.made import ACCURACIES, begin, make_job, make_sweep

GLOB = "hydra: {overrides: {task: ['attack=glob(*)']}}"  # what it stands for, only Hydra itself knows


def test_jobs_of_a_cell_differ_in_their_seeds(tmp_path: Path) -> None:
    sweep = Sweep.read(make_sweep(tmp_path))
    assert {cell: [job.seed for job in jobs] for cell, jobs in sweep.cells.items()} == {
        "Standard, label": [0, 1],
        "Composite, label": [0, 1],
    }
    assert sweep.missing == []
    assert sweep.jobs[2].command == "python train.py attack=composite oracle=label seed=0"


def test_curves_are_one_row_an_epoch_and_one_column_a_seed(tmp_path: Path) -> None:
    sweep = Sweep.read(make_sweep(tmp_path))
    over_epochs = sweep.curves("epoch", "test/accuracy")["Composite, label"]
    assert over_epochs.index.tolist() == [1, 2, 3]
    np.testing.assert_array_equal(over_epochs.to_numpy().T, list(ACCURACIES.values()))
    over_queries = sweep.curves("queries", "test/accuracy")
    assert over_queries["Composite, label"].index.tolist() == [500, 1000, 1500]
    assert over_queries["Standard, label"].index.tolist() == [500]  # asked once: what the last epoch made of it
    np.testing.assert_array_equal(over_queries["Standard, label"].to_numpy(), [[0.8, 0.7]])
    assert sweep.curves("queries", "test/nothing") == {}


def test_a_seed_that_ended_earlier_leaves_the_rest_unknown(tmp_path: Path) -> None:
    make_sweep(tmp_path)
    short = tmp_path / "2-composite-label-seed0" / "metrics.csv"
    short.write_text("".join(short.read_text().splitlines(keepends=True)[:3]))
    curve = Sweep.read(tmp_path).curves("epoch", "test/accuracy")["Composite, label"]
    assert curve[0].isna().tolist() == [False, True, True]
    assert curve[1].tolist() == list(ACCURACIES[1])


def test_what_has_not_finished_is_named(tmp_path: Path) -> None:
    make_job(tmp_path / "0-done")
    begin(tmp_path / "1-killed", ["seed=1"]).joinpath("last.ckpt").touch()
    begin(tmp_path / "2-failed", ["seed=2"])
    begin(tmp_path / "3-damaged", ["seed=3"]).joinpath("result.json").write_text('{"task": "t", "se')
    begin(tmp_path / "4-foreign", ["seed=4"]).joinpath("result.json").write_text('{"accuracy": 1}')
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "result.json").write_text('{"accuracy": 1}')
    sweep = Sweep.read(tmp_path)
    assert [job.folder.name for job in sweep.jobs] == ["0-done"]
    killed, failed, *unread = sweep.missing
    assert killed.startswith("1-killed has no result")
    assert "goes on from there" in killed
    assert failed.startswith("2-failed has no result")
    assert "no checkpoint" in failed
    assert [one.partition(":")[0] for one in unread] == ["3-damaged", "4-foreign"]


def test_what_has_not_begun_is_named(tmp_path: Path) -> None:
    make_job(tmp_path / "0-composite-label-seed0")
    overrides = ["attack=composite", "oracle=label,softmax", "seed=0,1"]
    sweeper = {"_target_": "hydra._internal.core_plugins.basic_sweeper.BasicSweeper", "params": None}
    command = {"hydra": {"sweeper": sweeper, "overrides": {"task": overrides}}}
    OmegaConf.save(OmegaConf.create(command), tmp_path / "multirun.yaml")
    assert Sweep.read(tmp_path).missing == [
        "attack=composite oracle=label seed=1 has not begun.",
        "attack=composite oracle=softmax seed=0 has not begun.",
        "attack=composite oracle=softmax seed=1 has not begun.",
    ]


@pytest.mark.parametrize("content", ["", "hydra: [", "hydra: 3", "- 1", "hydra: {overrides: {task: ['=']}}", GLOB])
def test_a_multirun_yaml_that_says_nothing_is_passed_over(content: str, tmp_path: Path) -> None:
    make_job(tmp_path / "0-composite-label-seed0")
    (tmp_path / "multirun.yaml").write_text(content)
    assert Sweep.read(tmp_path).missing == []


@pytest.mark.parametrize("lost", ["metrics.csv", "predictions.npz", "examples.npz", ".hydra/overrides.yaml"])
@pytest.mark.parametrize("content", [None, "", "step,test/accuracy\n\n", "queries\n1\n", "PK\x03\x04", "\0{"])
def test_what_a_job_lacks_is_named_and_never_guessed(lost: str, content: str | None, tmp_path: Path) -> None:
    job = make_job(tmp_path / "0-composite-label-seed0")
    (job / lost).unlink()
    if content is not None:
        (job / lost).write_text(content)
    sweep = Sweep.read(tmp_path)
    said = [one for one in sweep.missing if lost in one]
    assert said == sweep.missing
    assert len(said) == (lost != "examples.npz")  # not every attack can tell of what its images are made
    (only,) = sweep.jobs
    assert only.curve.empty == (lost == "metrics.csv")
    assert (only.predictions is None) == (lost == "predictions.npz")
    assert (only.examples is None) == (lost == "examples.npz")
    assert (only.command is None) == (lost == ".hydra/overrides.yaml")


def test_one_job_is_a_sweep_too(tmp_path: Path) -> None:
    sweep = Sweep.read(make_job(tmp_path / "single"))
    assert list(sweep.cells) == ["Composite, label"]
    assert isinstance(sweep.results, pd.DataFrame)


@pytest.mark.parametrize("folder", ["absent", "empty", "file"])
def test_a_folder_without_jobs_is_refused(folder: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"of a sweep, such as multirun_outputs/"):
        Sweep.read(tmp_path / folder)
