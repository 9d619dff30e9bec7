from collections.abc import Sequence
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from mimicbench.errors import UserError
from mimicbench.mentors import model_file
from mimicbench.sweeps.folders import SweepFolders, finished
from tests.test_results import make_result


def config(**keys: object) -> DictConfig:
    return OmegaConf.create(keys)


def begin(folder: Path, overrides: Sequence[str], cfg: DictConfig, *, ends: bool = False) -> Path:
    """What Hydra leaves of a job, and the result if it ended."""
    (folder / ".hydra").mkdir(parents=True)
    OmegaConf.save(OmegaConf.create(list(overrides)), folder / ".hydra" / "overrides.yaml")
    (folder / ".hydra" / "config.yaml").write_text(OmegaConf.to_yaml(cfg))
    if ends:
        make_result().save(folder)
    return folder


def test_a_job_finds_its_folder_under_whatever_number(tmp_path: Path) -> None:
    first = begin(tmp_path / "0-a", ["seed=0"], config(seed=0), ends=True)
    second = begin(tmp_path / "1-a", ["seed=1"], config(seed=1))
    folders = SweepFolders(tmp_path)
    assert folders.of(["seed=1"], config(seed=1), "0-a") == second
    assert folders.of(["seed=2"], config(seed=2), "1-a") == tmp_path / "1-a_2"  # not that of seed=1
    assert folders.of(["seed=0"], config(seed=0), "2-a") == first
    assert folders.of(["seed=3"], config(seed=3), "3-a") == tmp_path / "3-a"
    assert finished(first)
    assert not finished(second)


@pytest.mark.parametrize(
    ("overrides", "cfg"),
    [
        (["seed=1"], config(seed=1, rate=0.1)),
        (["seed=0", "rate=0.1"], config(seed=0, rate=0.1)),
        (["seed=0"], config(seed=0, rate=0.2)),  # a YAML file was edited since
        ([], config(seed=0, rate=0.1)),
    ],
)
def test_another_job_never_gets_it(overrides: list[str], cfg: DictConfig, tmp_path: Path) -> None:
    begin(tmp_path / "0-a", ["seed=0"], config(seed=0, rate=0.1), ends=True)
    assert SweepFolders(tmp_path).of(overrides, cfg, "0-a") == tmp_path / "0-a_2"


def test_overrides_may_hold_interpolations(tmp_path: Path) -> None:
    overrides = ["rate=${seed}", "place=${oc.env:HOME}", "other=${hydra:nowhere}"]
    folder = begin(tmp_path / "0-a", overrides, config(seed=0))
    assert SweepFolders(tmp_path).of(overrides, config(seed=0), "1-a") == folder


@pytest.mark.parametrize("key", ["path", "checkpoint"])
def test_a_mentor_whose_file_was_replaced_is_not_taken_for_the_old_one(key: str, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"one")
    cfg = config(mentor={key: str(file)})
    folder = begin(tmp_path / "sweep" / "0-a", [], cfg)
    make_result(mentor_file=model_file.content(file)).save(folder)
    assert SweepFolders(tmp_path / "sweep").of([], cfg, "0-a") == folder
    file.write_bytes(b"another")
    with pytest.raises(UserError, match=r"holds results of another mentor, .* name another hydra\.sweep\.dir"):
        SweepFolders(tmp_path / "sweep").of([], cfg, "0-a")


def test_a_result_on_other_data_is_another_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = config(paths={"data_dir": "${oc.env:DATA}"})
    folder = begin(tmp_path / "0-a", [], cfg, ends=True)
    make_result(config={"paths": {"data_dir": "one"}}).save(folder)
    for place, expected in (("one", folder), ("other", tmp_path / "0-a_2")):
        monkeypatch.setenv("DATA", place)
        assert SweepFolders(tmp_path).of([], cfg, "0-a") == expected


def test_equal_jobs_of_one_sweep_get_folders_of_their_own(tmp_path: Path) -> None:
    begin(tmp_path / "0-a", ["seed=0"], config(seed=0))
    folders = SweepFolders(tmp_path)
    found = [folders.of(["seed=0"], config(seed=0), usual) for usual in ("0-a", "1-a", "1-a")]
    assert found == [tmp_path / "0-a", tmp_path / "1-a", tmp_path / "1-a_2"]


def test_of_two_tries_the_finished_one_counts(tmp_path: Path) -> None:
    begin(tmp_path / "0-a", ["seed=0"], config(seed=0))
    ended = begin(tmp_path / "0-a_2", ["seed=0"], config(seed=0), ends=True)
    begin(tmp_path / "0-a_3", ["seed=0"], config(seed=0))
    assert SweepFolders(tmp_path).of(["seed=0"], config(seed=0), "0-a") == ended


@pytest.mark.parametrize("overrides", [None, "", "seed=", "{"])
def test_a_folder_that_was_cut_off_as_it_began_is_taken_again(overrides: str | None, tmp_path: Path) -> None:
    folder = begin(tmp_path / "0-a", ["seed=0"], config(seed=0))
    file = folder / ".hydra" / "overrides.yaml"
    file.unlink()
    if overrides is not None:
        file.write_text(overrides)
    assert SweepFolders(tmp_path).of(["seed=0"], config(seed=0), "0-a") == folder
