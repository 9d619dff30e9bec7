"""The network that learns to mimic."""

from collections.abc import Callable

from torch import nn
from torchmetrics.classification import MulticlassAccuracy

from mimicbench.captured_step import Recording
from mimicbench.evaluation import Batch
from mimicbench.learner import Learner
from mimicbench.rank import ALONE, Rank
from mimicbench.recipe import Recipe


class Student(Learner):
    """Learns the mentor's replies; is measured on the task's test images after every epoch.

    Logs ``test/accuracy``, the share of test images that the student classifies as they are labelled, and
    ``test/fidelity``, the share that it classifies as the mentor does.
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
        super().__init__(network, recipe, steps, classes, recorder, rank)
        self.fidelity = MulticlassAccuracy(classes, average="micro")

    def validation_step(self, batch: Batch, _: int) -> None:
        """Count one batch of test images."""
        images, labels, mentor_labels = batch
        predicted = self(images).argmax(1)
        self.accuracy.update(predicted, labels)
        self.fidelity.update(predicted, mentor_labels)
        for name, metric in (("test/accuracy", self.accuracy), ("test/fidelity", self.fidelity)):
            self.log(name, metric, on_epoch=True, prog_bar=True, batch_size=len(images))
