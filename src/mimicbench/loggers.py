"""Where a job's curves go: CSV files that survive a kill, and Weights & Biases as its users expect it."""

import csv
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any, Literal

import torch
from hydra.core.hydra_config import HydraConfig
from lightning.pytorch.loggers import CSVLogger, Logger, WandbLogger

from mimicbench.checkpoints import CHECKPOINT
from mimicbench.files import atomic

_METRICS = "metrics.csv"
_EARLIER = "metrics.earlier.csv"
_COLUMNS = {"step", "queries", "test/accuracy", "test/fidelity"}
_COLUMNS |= {"train/loss", "train/learning_rate", "train/samples_per_second"}
_RUN_ID = "wandb_run_id.txt"


class WandbRun(WandbLogger):
    """Lightning's logger, which does not know of the checkpoints that a job keeps here.

    Attributes:
        logs_checkpoint: Whether the finished student's becomes an artifact.
    """

    logs_checkpoint = False


def weights_and_biases(
    *,
    project: str,
    entity: str | None,
    group: str,
    name: str,
    varied: bool,
    tags: list[str],
    save_dir: Path,
    mode: Literal["auto", "online", "offline"],
    checkpoint: bool,
) -> WandbRun:
    """A logger to Weights & Biases; close it with :func:`closed`.

    Args:
        project: Project of the run.
        entity: User or team; None for the account's default.
        group: Name or folder of the sweep that the run belongs to.
        name: Of the run.
        varied: Add to the name what else the command sets, such as ``attack.images=3``.
        tags: Of the run.
        save_dir: Where the run's own files are kept, and its id, by which a job that goes on after a kill finds it.
        mode: ``auto`` is ``online`` where an account is configured, else ``offline`` (``wandb sync`` sends offline runs
            later), and nothing at all where the environment says ``WANDB_MODE=disabled``.
        checkpoint: Keep the finished student's checkpoint there too, as an artifact.
    """
    import wandb  # here, for its import is slow and most runs do without

    chosen: str = mode
    if mode == "auto":
        disabled = os.environ.get("WANDB_MODE") == "disabled"
        chosen = "disabled" if disabled else "online" if wandb.login(prompt=False) else "offline"
    logger = WandbRun(
        project=project,
        entity=entity,
        group=PurePath(group).name,
        name=" ".join([name, *(_set_by_command() if varied else ())]),
        tags=tags,
        save_dir=save_dir,
        id=_run_id(save_dir),
        resume="allow",
        offline=chosen == "offline",
        mode=chosen,  # of wandb.init; what offline sets is not enough for new releases
    )
    logger.logs_checkpoint = checkpoint
    return logger


def _set_by_command() -> list[str]:
    """The overrides of this job's command, but for those that a run's name tells anyway or that shape nothing."""
    if not HydraConfig.initialized():
        return []
    named, shapeless = ("attack", "oracle", "seed"), ("logger", "callbacks", "paths", "hydra")
    keys = {override: override.partition("=")[0].lstrip("+~") for override in HydraConfig.get().overrides.task}
    return [one for one, key in keys.items() if key not in named and key.partition(".")[0] not in shapeless]


def _run_id(folder: Path) -> str:
    file = folder / _RUN_ID
    if file.exists() and (folder / CHECKPOINT).exists():
        return file.read_text(encoding="ascii")
    made = secrets.token_hex(4)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic(file) as temporary:
        temporary.write_text(made, encoding="ascii")
    return made


def continue_curves(loggers: list[Logger], checkpoint: Path | None) -> None:
    """Keep what ``metrics.csv`` holds up to a checkpoint, which Lightning's logger deletes when it is first used.

    Args:
        loggers: Those for CSV are brought up to the checkpoint.
        checkpoint: Where the run goes on; None if it begins anew, without any curve.
    """
    for logger in loggers:
        if not isinstance(logger, CSVLogger):
            continue
        current, earlier = Path(logger.log_dir) / _METRICS, Path(logger.log_dir) / _EARLIER
        if checkpoint is None:
            earlier.unlink(missing_ok=True)
        elif current.exists() and not earlier.exists():  # else it is a copy that was cut off
            current.replace(earlier)
        logger.experiment.metrics_keys = sorted(_COLUMNS)  # else the file is written anew where a column is added
        if checkpoint is not None and earlier.exists():
            step = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)["global_step"]
            logger.experiment.metrics = [row for row in _rows(earlier) if float(row["step"]) <= step]
            logger.save()
            earlier.unlink()


def _rows(file: Path) -> list[dict[str, Any]]:
    """The whole rows of a CSV file as they stand there, without their empty cells."""
    with file.open(newline="", encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if None not in row and None not in row.values()]
    return [{key: value for key, value in row.items() if value} for row in rows if row["step"]]


@contextmanager
def closed(loggers: list[Logger]) -> Iterator[None]:
    """Close Weights & Biases after the body, so that the next job starts a run of its own.

    A body that raises marks its run as failed.
    """
    status = 1
    try:
        yield
        status = 0
    finally:
        if any(isinstance(logger, WandbLogger) for logger in loggers):
            import wandb

            if wandb.run is not None:  # it may have failed to start
                wandb.run.finish(exit_code=status)
