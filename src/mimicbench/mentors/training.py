"""How a mentor learns its task."""

from collections.abc import Callable
from functools import partial
from typing import Any

import lightning as L  # noqa: N812 (Lightning's own convention)
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from mimicbench.augmentation import Augmentation
from mimicbench.chunks import Chunks
from mimicbench.counter_rng import permutation
from mimicbench.evaluation import Batch, Evaluation
from mimicbench.hardware import to_device
from mimicbench.learner import Learner, Samples
from mimicbench.resident import ResidentImages
from mimicbench.tasks import Task
from mimicbench.watermarks import Added

_BATCHES_PER_CHUNK = 8


class MentorTraining(Learner):
    """A mentor learning its task, and whatever else its owner wants."""

    penalty: Callable[[nn.Module], Tensor | None] | None = None
    """Gives what is added to the loss, float [], from the network; or None."""

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The cross-entropy, and the penalty if there is one."""
        loss, more = super().loss(logits, targets), None if self.penalty is None else self.penalty(self.network)
        return loss if more is None else loss + more

    def validation_step(self, batch: Batch, _: int) -> None:
        """Count one batch of test images."""
        images, labels, _mentor_labels = batch
        self.accuracy.update(self(images).argmax(1), labels)
        self.log("test/accuracy", self.accuracy, on_epoch=True, prog_bar=True, batch_size=len(images))


class TaskChunks(L.LightningDataModule):
    """The task's training images in a new order every epoch, augmented.

    Args:
        task: The task.
        device: Where the training runs.
        seed: Decides orders and augmentation.
        augment: How images are changed, if at all.
        batch_size: Samples in an SGD step.
        samples: Images in an epoch, a random part of them; None for all.
        added: What is learned besides the task's images, if anything: a mark.
    """

    def __init__(
        self,
        task: Task,
        device: torch.device,
        seed: int,
        augment: Augmentation | None,
        batch_size: int,
        samples: int | None = None,
        added: Added | None = None,
    ) -> None:
        super().__init__()
        images, targets = task.train.images, F.one_hot(torch.tensor(task.train.labels), len(task.classes)).float()
        self._index = np.arange(len(images))  # which image is which sample
        if added is not None:
            more = np.tile(np.arange(len(added.images)), added.times)
            self._index = np.concatenate([self._index, len(images) + more])
            images = np.concatenate([images, added.images])
            targets = torch.cat([targets, torch.from_numpy(added.targets)])
        self._images = ResidentImages(images, device)
        self._targets = targets.to(device)
        labels = torch.tensor(task.test.labels)
        self._evaluation = Evaluation(ResidentImages(task.test.images, device), labels, labels)
        self._seed = seed
        self._augment = augment
        self._size = batch_size * _BATCHES_PER_CHUNK
        self.samples = min(samples or len(self._index), len(self._index))
        """Images in an epoch."""

    def train_dataloader(self) -> Chunks:
        """Chunks of the current epoch."""
        assert self.trainer is not None
        return Chunks(self.samples, self._size, partial(self._chunk, self.trainer.current_epoch))

    def val_dataloader(self) -> Evaluation:
        """The test images."""
        return self._evaluation

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Chunks are made on the device."""
        return batch

    def _chunk(self, epoch: int, start: int, stop: int) -> Samples:
        order = permutation(self._seed, epoch, len(self._index))[start:stop]
        index = to_device(self._index[order], self._images.device)
        images = self._images.take(index)
        if self._augment is not None:
            images = self._augment(images, self._seed, epoch, np.arange(start, stop))
        return images, self._targets[index]
