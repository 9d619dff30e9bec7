"""A mentor that is trained here, once, and kept."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import lightning as L  # noqa: N812 (Lightning's own convention)
import torch
from filelock import FileLock, Timeout
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from pydantic import Field, PositiveFloat, PositiveInt

from mimicbench import __version__
from mimicbench.augmentation import Augmentation
from mimicbench.checkpoints import AtomicCheckpointIO, Checkpoints
from mimicbench.errors import UserError
from mimicbench.files import writing
from mimicbench.fingerprint import fingerprint
from mimicbench.hardware import Hardware
from mimicbench.mentors.checkpoint import load_network
from mimicbench.mentors.mentor import Mentor
from mimicbench.mentors.training import MentorTraining, TaskChunks
from mimicbench.paths import Paths
from mimicbench.progress import ProgressNotes
from mimicbench.progress_bar import ProgressBar
from mimicbench.recipe import Recipe
from mimicbench.schema import build
from mimicbench.sharing import SharedCores
from mimicbench.tasks import Task

_TRAINING = "1"  # raise it when the same configuration trains to another mentor, so that old ones are not used


def trained(
    task: Task,
    paths: Paths,
    hardware: Hardware,
    *,
    network: dict[str, Any],
    seed: Annotated[int, Field(ge=0, lt=2**32)],
    max_epochs: PositiveInt,
    samples_per_epoch: PositiveInt | None,
    recipe: Recipe,
    augment: Augmentation | None,
    checkpoint: Path | None,
    checkpoint_minutes: PositiveFloat,
) -> Mentor:
    """A mentor for ``task``: from ``checkpoint``, else from the cache, else trained now and cached.

    The cached checkpoint's name is made from everything that shaped it. Jobs that start side by side train it once.

    Args:
        task: What it learns.
        paths: The cache is in ``cache_dir``.
        hardware: Where it is trained and runs.
        network: The network's own configuration, with ``_target_``.
        seed: Decides the initial weights, orders and augmentation.
        max_epochs: Passes over the task's training images.
        samples_per_epoch: Training images in a pass, a random part of them; None for all.
        recipe: How it is trained.
        augment: How its training images are changed, if at all.
        checkpoint: A Lightning checkpoint to use instead, of a module that holds such a network as ``network``.
        checkpoint_minutes: Between two checkpoints within an epoch, from which a killed training goes on.

    Raises:
        UserError: The checkpoint is missing, unsafe, or of another architecture; the cache cannot be written.
    """
    L.seed_everything(seed, workers=True, verbose=False)
    module = build("mentor.network", network, len(task.classes), task.size, recipe.dropout)
    if checkpoint is None:
        shaped_by = {
            "task": task.fingerprint,
            "network": network,
            "seed": seed,
            "epochs": [max_epochs, samples_per_epoch],
            "recipe": vars(recipe),
            "augment": None if augment is None else vars(augment),
            "arithmetic": [hardware.device.type, hardware.precision],
            "versions": [torch.__version__, __version__, _TRAINING],
        }
        checkpoint = paths.cache_dir / "mentors" / f"{fingerprint(shaped_by)}.ckpt"
        with _alone(checkpoint):
            if not checkpoint.exists():
                chunks = TaskChunks(task, hardware.device, seed, augment, recipe.batch_size, samples_per_epoch)
                steps = max_epochs * -(-chunks.samples // recipe.batch_size)
                learner = MentorTraining(hardware.fast(module), recipe, steps, len(task.classes), hardware.recorder)
                unfinished = Checkpoints(checkpoint.with_suffix(".unfinished"), checkpoint.stem, checkpoint_minutes)
                _train(learner, chunks, max_epochs, hardware, paths, unfinished, checkpoint)
            checkpoint.with_suffix(".unfinished").unlink(missing_ok=True)
        try:
            load_network(module, checkpoint, "paths.cache_dir")
        except UserError:
            raise UserError(
                f"The mentor kept in {checkpoint} is damaged; delete the file, and it will be trained again."
            ) from None
    else:
        load_network(module, checkpoint, "mentor.checkpoint")
    return Mentor(module, task.classes, hardware)


@contextmanager
def _alone(checkpoint: Path) -> Iterator[None]:
    """Keep other jobs from training the same mentor meanwhile."""
    lock = FileLock(checkpoint.with_suffix(".lock"))
    with writing(checkpoint.parent, "paths.cache_dir"):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print("Another job is training this mentor; waiting for it.", file=sys.stderr)
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _train(
    learner: MentorTraining,
    chunks: TaskChunks,
    epochs: int,
    hardware: Hardware,
    paths: Paths,
    unfinished: Checkpoints,
    checkpoint: Path,
) -> None:
    notes = ProgressNotes(paths.output_dir, "mentor")
    trainer = L.Trainer(
        accelerator=hardware.accelerator,
        devices=1 if hardware.device.index is None else [hardware.device.index],
        precision=hardware.precision,
        max_epochs=epochs,
        logger=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        callbacks=[ProgressBar(learner="Mentor"), SharedCores.of(hardware, paths), notes, unfinished],
        plugins=[AtomicCheckpointIO("paths.cache_dir"), LightningEnvironment()],  # one process, whatever SLURM started
        reload_dataloaders_every_n_epochs=1,
    )
    trainer.fit(learner, datamodule=chunks, ckpt_path=unfinished.resumable)
    trainer.save_checkpoint(checkpoint, weights_only=True)
