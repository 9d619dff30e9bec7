"""Weights & Biases as its users expect it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Literal

from lightning.pytorch.loggers import Logger, WandbLogger


def weights_and_biases(
    *,
    project: str,
    entity: str | None,
    group: str,
    name: str,
    tags: list[str],
    save_dir: Path,
    mode: Literal["auto", "online", "offline"],
) -> WandbLogger:
    """A logger to Weights & Biases; close it with :func:`closed`.

    Args:
        project: Project of the run.
        entity: User or team; None for the account's default.
        group: Name or folder of the sweep that the run belongs to.
        name: Of the run.
        tags: Of the run.
        save_dir: Where the run's own files are kept.
        mode: ``auto`` is ``online`` where an account is configured, else ``offline`` (``wandb sync`` sends offline runs
            later), and nothing at all where the environment says ``WANDB_MODE=disabled``.
    """
    import wandb  # here, for its import is slow and most runs do without

    chosen: str = mode
    if mode == "auto":
        disabled = os.environ.get("WANDB_MODE") == "disabled"
        chosen = "disabled" if disabled else "online" if wandb.login(prompt=False) else "offline"
    return WandbLogger(
        project=project,
        entity=entity,
        group=PurePath(group).name,
        name=name,
        tags=tags,
        save_dir=save_dir,
        offline=chosen == "offline",
        mode=chosen,  # of wandb.init; what offline sets is not enough for new releases
    )


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
