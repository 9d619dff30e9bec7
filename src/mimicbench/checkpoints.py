"""Checkpoints from which a killed run goes on as if nothing had happened."""

from pathlib import Path
from time import monotonic
from typing import Any

import lightning as L  # noqa: N812 (Lightning's own convention)
import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import Checkpoint

from mimicbench.files import atomic, writing

CHECKPOINT = "last.ckpt"
"""The student's, in its job's folder."""

_JOB, _CODES = "job", "codes"


class Checkpoints(Checkpoint):
    """Keeps the last state of a training in one file, after every epoch and every so many minutes in between.

    It is a ``Checkpoint`` of Lightning's, so that its hooks come after those of all others, whose state it saves.

    Args:
        file: Where the state is kept.
        job: Names all that shapes the training; a checkpoint of another job is not continued.
        minutes: Between two checkpoints within an epoch.
        code: Names the code that trains.

    Attributes:
        codes: Names of all the code that has trained so far.
    """

    def __init__(self, file: Path, job: str, minutes: float, code: str = "") -> None:
        self.codes = [code]
        self.file = file
        self.job = job
        self._seconds = 60 * minutes
        self._saved = monotonic()

    @property
    def resumable(self) -> Path | None:
        """The checkpoint, if there is a whole one of this job."""
        if not self.file.exists():
            return None
        try:
            content = torch.load(self.file, map_location="cpu", weights_only=True, mmap=True)
        except Exception:  # a damaged file can make the unpickler fail in any way
            return None
        return self.file if isinstance(content, dict) and content.get(_JOB) == self.job else None

    def on_save_checkpoint(self, trainer: L.Trainer, module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Say whose checkpoint it is, and what made it."""
        checkpoint[_JOB] = self.job
        checkpoint[_CODES] = self.codes

    def on_load_checkpoint(self, trainer: L.Trainer, module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Remember what made the earlier part."""
        self.codes = list(dict.fromkeys([*checkpoint[_CODES], *self.codes]))

    def on_train_start(self, *_: Any) -> None:
        """Begin to wait."""
        self._saved = monotonic()

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Save within an epoch; its end saves for itself."""
        last = trainer.fit_loop.epoch_loop.batch_progress.is_last_batch
        due = not last and monotonic() - self._saved >= self._seconds
        if trainer.strategy.reduce_boolean_decision(due, all=False):  # clocks of ranks differ
            self._save(trainer)

    def on_train_epoch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Save after an epoch, its evaluation included."""
        self._save(trainer)

    def _save(self, trainer: L.Trainer) -> None:
        trainer.save_checkpoint(self.file)
        self._saved = monotonic()


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes checkpoints whole or not at all; Lightning's own way moves them from another file system, unflushed.

    Args:
        key: The configuration key of the folder above them, for errors.
    """

    def __init__(self, key: str) -> None:
        super().__init__()
        self._key = key

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write one checkpoint to a local file.

        Raises:
            UserError: It cannot be written.
        """
        file = Path(path)
        with writing(file.parent, self._key), atomic(file) as temporary:
            torch.save(checkpoint, temporary)
