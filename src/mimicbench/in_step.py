"""Ranks that carry out one job must not drift apart unseen."""

from pathlib import Path
from typing import Any

import lightning as L  # noqa: N812 (Lightning's own convention)

from mimicbench.errors import UserError
from mimicbench.fingerprint import content
from mimicbench.learner import Learner
from mimicbench.rank import Rank


class InStep(L.Callback):
    """Sees to it that all ranks begin the same job at the same point, and end with the same network.

    Args:
        rank: This process among them.
        job: Names all that shapes the training.
        checkpoint: Where the job goes on after a kill; removed if the ranks have drifted apart.
    """

    def __init__(self, rank: Rank, job: str, checkpoint: Path) -> None:
        self._rank = rank
        self._job = job
        self._checkpoint = checkpoint

    def on_train_start(self, trainer: L.Trainer, *_: Any) -> None:
        """Compare what is begun.

        Raises:
            UserError: It is not the same on all ranks.
        """
        if len(set(self._rank.gathered((self._job, trainer.global_step)))) > 1:
            raise UserError(
                "The processes of this job do not begin alike; see that all have the same code, configuration and "
                "files, and that they share paths.output_dir."
            )

    def on_train_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Compare what came out.

        Raises:
            RuntimeError: The networks differ.
        """
        assert isinstance(module, Learner)
        if self._rank.count > 1 and len(set(self._rank.gathered(content(module.network)))) > 1:
            self._checkpoint.unlink(missing_ok=True)  # for it would pass for that of a job that has ended
            raise RuntimeError("The ranks ended with different networks: their result is worth nothing.")
