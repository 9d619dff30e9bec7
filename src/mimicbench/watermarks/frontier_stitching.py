"""Images at the border between classes, and on which side they are put."""

from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from mimicbench.counter_rng import Seed
from mimicbench.errors import UserError
from mimicbench.hardware import Hardware
from mimicbench.mentors.folding import folded
from mimicbench.paths import Paths
from mimicbench.recipe import Recipe
from mimicbench.resident import ResidentImages, answered_at_once
from mimicbench.tasks import Task
from mimicbench.watermarks.chance import claimed_from
from mimicbench.watermarks.evidence import Triggers
from mimicbench.watermarks.watermark import Added, Share, TunedMark

_FALSE_CLAIMS = 0.05


class FrontierStitching(TunedMark):
    """Le Merrer et al. 2019, "Adversarial frontier stitching for remote neural network watermarking".

    ``x + ε sign ∇_x CE(f(x), c)`` (the fast gradient sign method) for training images x that the mentor f has right.
    Half of the triggers are such that deceive it, half such that do not; it then learns the true class of all, beside
    its task. The network before that training errs on half of them by their making, of which the source takes θ: 41
    errors among 100 have p < 0.05. That is no null for others: steps that deceive one network mostly fail to
    deceive another, so that one which was trained by itself is right on nearly all (0.87 to 1.00 of the triggers, for
    380 pairs of a key and another mentor's student of digits): an owner who claims by θ claims
    innocents. Compare keys with keys.

    Args:
        task: What the mentor does.
        paths: Not used.
        name: What it is called.
        key: The owner's secret: which images are tried.
        threshold: The share of right answers from which an owner claims a suspect; None for the source's θ, 41 errors
            among 100.
        count: Triggers, an even number.
        times: How often each comes in an epoch of the second training.
        epsilon: ε, for pixels in [0, 1].
        max_epochs: Of the second training.
        recipe: Of the second training.

    Raises:
        UserError: There are too few triggers for a threshold.
    """

    def __init__(
        self,
        task: Task,
        paths: Paths,
        *,
        name: str,
        key: Seed,
        threshold: Share | None,
        count: Annotated[PositiveInt, Field(multiple_of=2)],
        times: PositiveInt,
        epsilon: Annotated[float, Field(gt=0, le=1)],
        max_epochs: PositiveInt,
        recipe: Recipe,
    ) -> None:
        claimed = claimed_from(count, _FALSE_CLAIMS, "watermark.count") if threshold is None else threshold
        super().__init__(task, paths, name=name, key=key, threshold=claimed)
        self._count = count
        self._times = times
        self._epsilon = epsilon
        self.max_epochs = max_epochs
        self.recipe = recipe
        self._found: Triggers | None = None

    @property
    def triggers(self) -> Triggers:
        """The images with their true classes, once there is a mentor."""
        assert self._found is not None
        return self._found

    @property
    def added(self) -> Added:
        """The triggers with their classes."""
        return Added(self.triggers.images, self._one_hot(self.triggers.labels), self._times)

    def meet(self, network: nn.Module, hardware: Hardware) -> None:
        """Find them among the training images, moved.

        Raises:
            UserError: Too few images deceive the mentor, or too few do not.
        """
        self._found = self._at_the_border(network, hardware)

    def _at_the_border(self, network: nn.Module, hardware: Hardware) -> Triggers:
        train, half = self._task.train, self._count // 2
        order = self._random().permutation(len(train.labels))
        pixels = ResidentImages(train.images, hardware.device)
        asked = hardware.fast(folded(network).to(hardware.device))
        found: dict[bool, list[tuple[np.ndarray, int]]] = {True: [], False: []}
        for places in np.array_split(order, max(1, len(order) // answered_at_once(hardware.device))):
            images, labels = pixels.take(torch.from_numpy(places)), torch.from_numpy(train.labels[places])
            moved, right, still = self._moved(asked, images, labels.to(hardware.device))
            for image, label, before, after in zip(moved, labels, right, still, strict=True):
                if before and len(found[bool(after)]) < half:
                    found[bool(after)].append((image, int(label)))
            if all(len(one) == half for one in found.values()):
                images_found, labels_found = zip(*(found[False] + found[True]), strict=True)
                return self._labelled(np.stack(images_found), np.array(labels_found, dtype=np.int64))
        lacking, cure = ("deceive", "raise") if len(found[False]) < half else ("do not deceive", "lower")
        raise UserError(f"Fewer than {half} images {lacking} the mentor; {cure} watermark.epsilon={self._epsilon}.")

    def _moved(self, network: nn.Module, images: Tensor, labels: Tensor) -> tuple[np.ndarray, Tensor, Tensor]:
        """Images after the step, uint8 [B, H, W, C], and whether they were and are classified rightly, bool [B]."""
        images = images.detach().requires_grad_()
        logits = network(images)
        (gradient,) = torch.autograd.grad(F.cross_entropy(logits, labels), images)
        moved = (images + self._epsilon * gradient.sign()).clamp(0, 1).mul(255).round()
        with torch.no_grad():
            after = network(moved / 255).argmax(1)
        whole = moved.detach().byte().permute(0, 2, 3, 1).cpu().numpy()
        return whole, (logits.argmax(1) == labels).cpu(), (after == labels).cpu()
