"""Networks that are trained once, and kept."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning as L  # noqa: N812 (Lightning's own convention)
import torch
from filelock import FileLock, Timeout
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from torch import nn

from mimicbench import __version__
from mimicbench.checkpoints import AtomicCheckpointIO, Checkpoints
from mimicbench.errors import UserError
from mimicbench.files import writing
from mimicbench.fingerprint import fingerprint
from mimicbench.hardware import Hardware
from mimicbench.learner import Learner
from mimicbench.mentors.checkpoint import load_network
from mimicbench.mentors.course import Course
from mimicbench.paths import Paths
from mimicbench.progress import ProgressNotes
from mimicbench.progress_bar import ProgressBar
from mimicbench.sharing import SharedCores

_TRAINING = "1"  # raise it when the same configuration trains to another network, so that old ones are not used

Training = Callable[[], tuple[Learner, L.LightningDataModule]]
"""Makes what learns and what it learns from, where it has to be trained."""


def trained_once(
    network: nn.Module,
    training: Training,
    *,
    what: str,
    course: Course,
    also: dict[str, Any],
    hardware: Hardware,
    paths: Paths,
) -> None:
    """Give a network the weights that its training ends with: from the cache, else trained now and cached.

    The checkpoint's name is made from everything that shapes it. Jobs that start side by side train it once; a training
    that was killed goes on.

    Args:
        network: As it begins; loaded in place.
        training: Makes its learner, of this very network, and the data.
        what: What it is called, such as ``mentor``; the folder in the cache is its plural.
        course: How it is trained.
        also: Plain values that decide what it learns besides.
        hardware: Where it is trained.
        paths: The cache is in ``cache_dir``.

    Raises:
        UserError: The cache cannot be written, or what is kept there is damaged.
    """
    shaped_by = course.shape | also
    shaped_by |= {
        "arithmetic": [hardware.device.type, hardware.precision],
        "versions": [torch.__version__, __version__, _TRAINING],
    }
    checkpoint = paths.cache_dir / f"{what}s" / f"{fingerprint(shaped_by)}.ckpt"
    with _alone(checkpoint, what):
        if not checkpoint.exists():
            learner, data = training()
            unfinished = Checkpoints(checkpoint.with_suffix(".unfinished"), checkpoint.stem, course.checkpoint_minutes)
            trainer = _trainer(what, course.max_epochs, hardware, paths, unfinished)
            trainer.fit(learner, datamodule=data, ckpt_path=unfinished.resumable)
            trainer.save_checkpoint(checkpoint, weights_only=True)
        checkpoint.with_suffix(".unfinished").unlink(missing_ok=True)
    try:
        load_network(network, checkpoint, "paths.cache_dir")
    except UserError:
        raise UserError(
            f"The {what} kept in {checkpoint} is damaged; delete the file, and it will be trained again."
        ) from None


@contextmanager
def _alone(checkpoint: Path, what: str) -> Iterator[None]:
    """Keep other jobs from training the same network meanwhile."""
    lock = FileLock(checkpoint.with_suffix(".lock"))
    with writing(checkpoint.parent, "paths.cache_dir"):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print(f"Another job is training this {what}; waiting for it.", file=sys.stderr)
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _trainer(what: str, epochs: int, hardware: Hardware, paths: Paths, unfinished: Checkpoints) -> L.Trainer:
    return L.Trainer(
        accelerator=hardware.accelerator,
        devices=1 if hardware.device.index is None else [hardware.device.index],
        precision=hardware.precision,
        max_epochs=epochs,
        logger=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        callbacks=[
            ProgressBar(learner=what.capitalize()),
            SharedCores.of(hardware, paths),
            ProgressNotes(paths.output_dir, what),
            unfinished,
        ],
        plugins=[AtomicCheckpointIO("paths.cache_dir"), LightningEnvironment()],  # one process, whatever SLURM started
        reload_dataloaders_every_n_epochs=1,
    )
