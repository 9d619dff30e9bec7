import csv
from pathlib import Path
from typing import Any

import pytest
import torch
import wandb
from lightning.pytorch.loggers import CSVLogger, WandbLogger

from mimicbench.loggers import closed, continue_curves, weights_and_biases

pytestmark = pytest.mark.usefixtures("without_account")


@pytest.fixture
def exit_codes(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """With what the runs are closed."""
    codes: list[int | None] = []
    finish = wandb.Run.finish

    def spy(run: wandb.Run, exit_code: int | None = None, **others: Any) -> None:
        codes.append(exit_code)
        finish(run, exit_code, **others)

    monkeypatch.setattr(wandb.Run, "finish", spy)
    return codes


def make_logger(folder: Path, name: str) -> WandbLogger:
    folder.mkdir(exist_ok=True)
    return weights_and_biases(
        project="test",
        entity=None,
        group=str(folder),
        name=name,
        varied=True,
        tags=["a"],
        save_dir=folder,
        mode="auto",
        checkpoint=False,
    )


def job(folder: Path, name: str, fails: bool = False) -> str:
    """The id of a job's run."""
    logger = make_logger(folder, name)
    run = logger.experiment
    assert (run.group, run.name, run.tags, run.offline) == (folder.name, name, ("a",), True)
    with closed([logger]):
        logger.log_metrics({"test/accuracy": 0.5}, step=3)
        if fails:
            raise KeyError(name)
    return str(run.id)


def test_two_jobs_of_one_process_are_two_offline_runs(tmp_path: Path, exit_codes: list[int | None]) -> None:
    assert job(tmp_path / "sweep", "one") != job(tmp_path / "sweep", "two")
    assert exit_codes == [0, 0]
    assert wandb.run is None
    assert len(list((tmp_path / "sweep" / "wandb").glob("offline-run-*/run-*.wandb"))) == 2


def test_a_job_that_fails_is_closed_as_failed(tmp_path: Path, exit_codes: list[int | None]) -> None:
    with pytest.raises(KeyError):
        job(tmp_path / "sweep", "one", fails=True)
    assert exit_codes == [1]
    assert wandb.run is None


@pytest.mark.parametrize("mode", ["online", "offline", "dryrun"])
def test_the_environment_does_not_change_that(
    mode: str, tmp_path: Path, exit_codes: list[int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    wandb.teardown()  # of what the session remembers of the environment
    monkeypatch.setenv("WANDB_MODE", mode)
    job(tmp_path / "sweep", "one")
    assert exit_codes == [0]
    assert len(list((tmp_path / "sweep" / "wandb").glob("offline-run-*/run-*.wandb"))) == 1


def test_the_environment_may_switch_it_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb.teardown()
    monkeypatch.setenv("WANDB_MODE", "disabled")
    logger = make_logger(tmp_path / "sweep", "one")
    with closed([logger]):
        logger.log_metrics({"test/accuracy": 0.5}, step=3)
    assert wandb.run is None
    assert not list((tmp_path / "sweep").rglob("run-*.wandb"))


@pytest.mark.parametrize(("mode", "offline"), [("auto", False), ("online", False), ("offline", True)])
def test_an_account_is_used_where_there_is_one(
    mode: str, offline: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wandb, "login", lambda **_: True)
    logger = weights_and_biases(
        project="test",
        entity=None,
        group="sweep",
        name="one",
        tags=[],
        save_dir=tmp_path,
        mode=mode,  # type: ignore[arg-type]
        varied=True,
        checkpoint=False,
    )
    assert logger._offline is offline
    assert logger._wandb_init["mode"] == ("offline" if offline else "online")


def test_a_job_that_goes_on_is_the_same_run_and_a_new_one_another(tmp_path: Path) -> None:
    folder = tmp_path / "job"
    first = job(folder, "one")
    assert job(folder, "one") != first  # it left no checkpoint
    (folder / "last.ckpt").touch()
    last = (folder / "wandb_run_id.txt").read_text()
    assert job(folder, "one") == last


ROWS = [{"step": 4, "test/accuracy": 0.25}, {"step": 8, "test/accuracy": 0.5}, {"step": 8, "train/loss": 1.5}]


def curve(folder: Path, rows: list[dict[str, Any]]) -> CSVLogger:
    logger = CSVLogger(folder, "", "")
    for row in rows:
        step = row["step"]
        logger.log_metrics({key: value for key, value in row.items() if key != "step"}, step)
    logger.save()
    return logger


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as file:
        return [{key: value for key, value in row.items() if value} for row in csv.DictReader(file)]


@pytest.mark.parametrize("cut_off", [False, True])
def test_a_curve_goes_on_from_the_checkpoint(cut_off: bool, tmp_path: Path) -> None:
    curve(tmp_path, [*ROWS, {"step": 12, "test/accuracy": 0.75}])
    with (tmp_path / "metrics.csv").open("a") as file:
        file.write("16,0.")  # cut off as it was written
    if cut_off:  # and so was the copy of what was there
        (tmp_path / "metrics.csv").rename(tmp_path / "metrics.earlier.csv")
        (tmp_path / "metrics.csv").write_text("step,test/acc")
    torch.save({"global_step": 8}, tmp_path / "last.ckpt")
    logger = CSVLogger(tmp_path, "", "")
    continue_curves([logger], tmp_path / "last.ckpt")
    logger.log_metrics({"test/accuracy": 0.8}, 12)
    logger.save()
    expected = [*ROWS, {"step": 12, "test/accuracy": 0.8}]
    assert rows_of(tmp_path) == [{key: str(value) for key, value in row.items()} for row in expected]
    assert not (tmp_path / "metrics.earlier.csv").exists()


def test_a_new_job_has_a_new_curve(tmp_path: Path) -> None:
    curve(tmp_path, ROWS)
    (tmp_path / "metrics.earlier.csv").touch()
    logger = CSVLogger(tmp_path, "", "")
    continue_curves([logger], None)
    logger.log_metrics({"test/accuracy": 0.8}, 4)
    logger.save()
    assert rows_of(tmp_path) == [{"step": "4", "test/accuracy": "0.8"}]
    assert not (tmp_path / "metrics.earlier.csv").exists()
