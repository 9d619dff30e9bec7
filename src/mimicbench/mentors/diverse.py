"""Networks that learn one task together, and to disagree on everything else."""

from functools import partial

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from mimicbench.chunks import Chunks
from mimicbench.counter_rng import walk
from mimicbench.evaluation import Batch
from mimicbench.hardware import to_device
from mimicbench.learner import Samples
from mimicbench.mentors.course import Course
from mimicbench.mentors.training import MentorTraining, TaskChunks
from mimicbench.resident import ResidentImages
from mimicbench.tasks import Task


class Ensemble(nn.Module):
    """Several networks side by side.

    Args:
        members: n networks, each images, float [B, C, H, W], to logits, float [B, K].
    """

    def __init__(self, members: list[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, images: Tensor) -> Tensor:
        """All their logits, float [B, n, K]."""
        return torch.stack([member(images) for member in self.members], 1)


class DiverseTraining(MentorTraining):
    """An ensemble learning to agree on the task's images and to differ on auxiliary ones (Kariyappa et al. 2021).

    Minimises ``Σ_i CE(f_i(x), c) + λ log Σ_{i<j} exp cos(f_i(x̃), f_j(x̃))``, the first over the task's images and
    the second over the auxiliary ones, whose targets are rows of zeros. Logs the accuracy of the members' mean.
    """

    diversity: float = 1.0
    """λ."""

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Of logits, float [B, n, K], and targets, float [B, K]."""
        outside = 1 - targets.sum(1)
        accuracy = (targets[:, None] * logits.log_softmax(2)).sum() / targets.sum().clamp_min(1)
        direction = F.normalize(logits.softmax(2), dim=2)
        first, second = torch.triu_indices(logits.shape[1], logits.shape[1], 1, device=logits.device)
        alike = (direction @ direction.mT)[:, first, second].logsumexp(1)
        return self.diversity * (alike * outside).sum() / outside.sum().clamp_min(1) - accuracy

    def validation_step(self, batch: Batch, _: int) -> None:
        """Count one batch of test images."""
        images, labels, _mentor_labels = batch
        self.accuracy.update(self(images).softmax(2).mean(1).argmax(1), labels)
        self.log("test/accuracy", self.accuracy, on_epoch=True, prog_bar=True, batch_size=len(images))


class ExposedChunks(TaskChunks):
    """The task's training images, each followed by an auxiliary image whose target is a row of zeros.

    Args:
        course: How an epoch is made; half of each SGD batch is the task's.
        task: The task.
        auxiliary: Images unlike the task's, in a new random order every round.
    """

    def __init__(self, course: Course, task: Task, auxiliary: ResidentImages) -> None:
        batch_size, samples = course.recipe.batch_size, course.samples_per_epoch
        super().__init__(task, auxiliary.device, course.seed, course.augment, batch_size, samples)
        self._auxiliary = auxiliary

    def train_dataloader(self) -> Chunks:
        """Chunks of the current epoch."""
        assert self.trainer is not None
        return Chunks(2 * self.samples, self._size, partial(self._mixed, self.trainer.current_epoch))

    def _mixed(self, epoch: int, start: int, stop: int) -> Samples:
        start, stop = start // 2, stop // 2  # chunks hold whole pairs, for they hold eight batches
        images, targets = self._chunk(epoch, start, stop)
        places = epoch * self.samples + np.arange(start, stop)
        others = self._auxiliary.take(to_device(walk(self._seed, len(self._auxiliary), places), images.device))
        pairs = torch.stack([images, others], 1).flatten(0, 1)
        return pairs.contiguous(memory_format=torch.channels_last), torch.stack(
            [targets, torch.zeros_like(targets)], 1
        ).flatten(0, 1)
