"""How far a job is, for whoever looks on."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import lightning as L  # noqa: N812 (Lightning's own convention)

from mimicbench.files import atomic

FILE = "progress.json"
_SECONDS = 1.0  # between two notes


@dataclass(frozen=True)
class Progress:
    """One note.

    Attributes:
        stage: What is done: ``mentor`` or ``student`` learns.
        epoch: The current one, from 1.
        epochs: Of the whole training.
        share: Of the training that is done.
        seconds_left: Estimate; None where there is nothing to go by.
        accuracy: On the test images after the last whole epoch; None before.
    """

    stage: str
    epoch: int
    epochs: int
    share: float
    seconds_left: float | None
    accuracy: float | None

    @classmethod
    def read(cls, folder: Path) -> "Progress | None":
        """The last note in a job's folder, if there is a whole one."""
        try:
            return cls(**json.loads((folder / FILE).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None


class ProgressNotes(L.Callback):
    """Writes a note into a job's folder, if there is one, every second at most.

    Args:
        folder: Where ``progress.json`` goes.
        stage: What is done: ``mentor`` or ``student`` learns.
    """

    def __init__(self, folder: Path, stage: str) -> None:
        self._folder = folder
        self._stage = stage
        self._written = 0.0
        self._began: tuple[float, float] | None = None

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Note a chunk, if the last note is old."""
        if monotonic() - self._written > _SECONDS:
            self._note(trainer, trainer.fit_loop.epoch_loop.batch_progress.current.ready)

    def on_train_epoch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Note an epoch."""
        self._note(trainer, trainer.num_training_batches)

    def _note(self, trainer: L.Trainer, chunks: float) -> None:
        if not (trainer.is_global_zero and self._folder.is_dir()):
            return
        self._written = now = monotonic()
        epochs = trainer.max_epochs or 1
        share = min(1.0, (trainer.current_epoch + chunks / trainer.num_training_batches) / epochs)
        began, share_then = self._began = self._began or (now, share)
        left = (now - began) * (1 - share) / (share - share_then) if share > share_then else None
        accuracy = trainer.callback_metrics.get("test/accuracy")
        note = Progress(
            self._stage, trainer.current_epoch + 1, epochs, share, left, None if accuracy is None else float(accuracy)
        )
        with atomic(self._folder / FILE, durable=False) as temporary:
            temporary.write_text(json.dumps(asdict(note)), encoding="utf-8")
