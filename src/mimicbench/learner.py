"""One network that learns from chunks of images and target distributions: the training step of mentors and students."""

from collections.abc import Callable
from functools import partial
from typing import Any

import lightning as L  # noqa: N812 (Lightning's own convention)
import torch
import torch.nn.functional as F  # noqa: N812
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim import SGD
from torch.optim.lr_scheduler import LRScheduler
from torchmetrics.classification import MulticlassAccuracy

from mimicbench.captured_step import CapturedStep, Recording, recordable
from mimicbench.rank import ALONE, Rank
from mimicbench.recipe import Recipe

Samples = tuple[Tensor, Tensor]
"""Images, float [n, C, H, W] in [0, 1], and targets, float [n, K] on the simplex; both on the training device."""

Chunk = tuple[Tensor, Tensor, int]
"""The samples of this rank, and how many all ranks have together."""


class Learner(L.LightningModule):
    """Learns target distributions by plain SGD.

    One Lightning batch is a *chunk* of many SGD batches: the trajectory is that of plain SGD, while what Lightning
    costs a batch is paid once a chunk. ``global_step`` counts SGD steps. An epoch's last SGD batch may be smaller.
    Several ranks learn from their parts of each SGD batch, and take the step of the whole.

    Args:
        network: Images, float [B, C, H, W] in [0, 1], to logits, float [B, K].
        recipe: Optimiser, batch size and schedule.
        steps: SGD steps of the whole run; the ``one_cycle`` schedule ends there.
        classes: K.
        recorder: Makes what the SGD step is recorded in, to be replayed; None to take every step anew.
        rank: This process among those that train together; only one alone may record.
    """

    def __init__(
        self,
        network: nn.Module,
        recipe: Recipe,
        steps: int,
        classes: int,
        recorder: Callable[[], Recording] | None = None,
        rank: Rank = ALONE,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.network = network
        self.recipe = recipe
        self.steps = steps
        self.classes = classes
        self.recorder = recorder
        self.rank = rank
        self._captured: CapturedStep | None = None
        self.samples = 0
        """Images that all ranks have learned from so far, repeated ones counted again."""
        self.measured: dict[str, float] = {}
        """What the last evaluation found, by the names that it was logged under."""
        self._loss: Tensor | float = 0.0  # of the epoch so far, summed over this rank's samples
        self._loss_samples = 0
        self._random: Tensor | None = None  # the state of what this rank's dropout draws from, at the checkpoint
        self.accuracy = MulticlassAccuracy(classes, average="micro")

    def forward(self, images: Tensor) -> Tensor:
        """Logits, float [B, K], of images, float [B, C, H, W] in [0, 1]."""
        logits: Tensor = self.network(images)
        return logits

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """What is minimised, float []: the cross-entropy of the targets and the network's answers to a batch."""
        return F.cross_entropy(logits, targets)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """The recipe's optimiser and schedule."""
        optimizer = self.recipe.optimizer(self.network)
        self._captured = None  # it belonged to another optimiser
        scheduler = self.recipe.scheduler(optimizer, self.steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": self.recipe.schedule_unit}}

    def training_step(self, chunk: Chunk, _: int) -> None:
        """Take the SGD steps of one chunk."""
        images, targets, samples = chunk
        scheduler = self.lr_schedulers()
        assert isinstance(scheduler, LRScheduler)
        total = torch.zeros((), device=images.device)
        sizes, weights = zip(*self.rank.batches(samples, self.recipe.batch_size), strict=True)
        for batch, target, weight in zip(images.split(list(sizes)), targets.split(list(sizes)), weights, strict=True):
            total += self._take_step(batch, target, weight) * len(batch)
            if self.recipe.schedule_unit == "step":
                scheduler.step()
        self.samples += samples
        self._loss = self._loss + total
        self._loss_samples += len(images)

    def on_train_start(self) -> None:
        """Let dropout go on with the random numbers that a checkpoint was about to draw."""
        if self._random is not None:
            self._generator().set_state(self._random)
            self._random = None
        elif not self.rank.first:  # else all ranks would draw alike
            self._generator().manual_seed(self._generator().initial_seed() + (self.rank.number << 32))

    @property
    def learning_rate(self) -> float:
        """The one of the next SGD step."""
        return float(self.trainer.optimizers[0].param_groups[0]["lr"])

    @property
    def mean_loss(self) -> float:
        """Over the samples of the epoch so far; waits for the device and for the other ranks."""
        total, samples = self._summed_loss()
        return total / max(samples, 1)

    def on_train_epoch_end(self) -> None:
        """Begin a new mean, and advance a schedule that counts epochs."""
        self._loss, self._loss_samples = 0.0, 0
        if self.recipe.schedule_unit == "epoch":
            scheduler = self.lr_schedulers()
            assert isinstance(scheduler, LRScheduler)
            scheduler.step()

    def on_validation_epoch_end(self) -> None:
        """Put the measurements at the right place of the loggers' axis."""
        self._log_step()

    def on_validation_end(self) -> None:
        """Keep what was measured, for whoever asks when the training is over."""
        measured = self.trainer.callback_metrics.items()
        self.measured = {name: float(value) for name, value in measured if name.startswith("test/")}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save what is neither a weight nor the optimiser's."""
        checkpoint["learner"] = {
            "samples": self.samples,
            "measured": self.measured,
            "loss": self._summed_loss(),
            "random": self.rank.gathered(self._generator().get_state()),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on from there."""
        saved = checkpoint["learner"]
        self.samples, self.measured = saved["samples"], saved["measured"]
        if self.rank.first:
            self._loss, self._loss_samples = saved["loss"]
        self._random = saved["random"][self.rank.number]

    def _summed_loss(self) -> tuple[float, int]:
        totals, samples = zip(*self.rank.gathered((float(self._loss), self._loss_samples)), strict=True)
        return sum(totals), sum(samples)

    def _generator(self) -> torch.Generator:
        """What dropout draws from."""
        if self.device.type == "cuda":
            return torch.cuda.default_generators[self.device.index or 0]
        return torch.default_generator

    def _take_step(self, images: Tensor, targets: Tensor, weight: float) -> Tensor:
        """Take one SGD step, recorded if it can be: an epoch's last batch may be smaller than the recorded ones."""
        if self.recorder is None or len(images) < self.recipe.batch_size:

            def backward(loss: Tensor) -> None:
                self.manual_backward(loss if self.rank.count == 1 else loss * weight)

            return self._step(images, targets, backward, self.optimizers())
        if self._captured is None:
            self._captured = self._capture(images, targets, self.recorder())
        progress = self.trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
        progress.increment_ready()  # as Lightning counts the steps that it sees
        progress.increment_completed()
        return self._captured(images, targets)

    def _capture(self, images: Tensor, targets: Tensor, recording: Recording) -> CapturedStep:
        optimizer = self.trainer.optimizers[0]
        assert isinstance(optimizer, SGD)
        step = partial(self._step, backward=Tensor.backward, optimizer=optimizer)
        return CapturedStep(step, images, targets, recordable(self.network, optimizer), recording)

    def _step(self, images: Tensor, targets: Tensor, backward: Callable[[Tensor], None], optimizer: Any) -> Tensor:
        loss = self.loss(self(images).float(), targets)
        backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    def _log_step(self) -> None:
        # Lightning's loggers count its batches, which are chunks here; a metric named "step" takes that count's place.
        self.log("step", float(self.global_step))
