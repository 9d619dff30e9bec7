from pathlib import Path
from typing import Any

import pytest
import wandb
from lightning.pytorch.loggers import WandbLogger

from mimicbench.loggers import closed, weights_and_biases


@pytest.fixture(autouse=True)
def without_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.delenv("WANDB_MODE", raising=False)


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
        project="test", entity=None, group=str(folder), name=name, tags=["a"], save_dir=folder, mode="auto"
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
    )
    assert logger._offline is offline
    assert logger._wandb_init["mode"] == ("offline" if offline else "online")
