"""Wrong answers where the mentor is unsure."""

from typing import Annotated

import lightning as L  # noqa: N812 (Lightning's own convention)
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor

from mimicbench.mentors import Mentor
from mimicbench.mentors.course import Course
from mimicbench.mentors.once import trained_once
from mimicbench.mentors.training import MentorTraining, TaskChunks
from mimicbench.oracles.oracle import Oracle, Price
from mimicbench.oracles.owner import Owner


class AdaptiveMisinformation(Oracle):
    """Misleads those whose queries are unlike the mentor's own images.

    Kariyappa and Qureshi 2020, "Defending against model stealing attacks with adaptive misinformation".

    ``ỹ = (1 - α) y + α f̂(x)`` with ``α = σ(ν (τ - max y))``: a mentor that is surer than τ answers itself, one that
    is less sure leaves it to f̂, a network that was trained on the task's images to be wrong, by the reverse
    cross-entropy ``-log(1 - f̂(x)_c)`` for the true class c. The source's mentor is also trained to be unsure off its
    distribution (outlier exposure); here any mentor is protected as it is.

    f̂ is trained once and kept in the cache; a query costs a second forward pass.

    Args:
        mentor: What answers.
        owner: The task's images, and where f̂ is trained and runs.
        threshold: τ.
        steepness: ν; the source takes 10³.
        training: How f̂ is trained.
        budget: Most images that it answers.
        price_per_1000: Of so many replies.
    """

    keeps_argmax = False

    def __init__(
        self,
        mentor: Mentor,
        owner: Owner,
        *,
        threshold: Annotated[float, Field(ge=0, le=1)],
        steepness: PositiveFloat,
        training: Course,
        budget: PositiveInt | None,
        price_per_1000: Price = None,
    ) -> None:
        super().__init__(mentor, owner, budget=budget, price_per_1000=price_per_1000)
        self._threshold = threshold
        self._steepness = steepness
        task, hardware = owner.task, owner.hardware
        wrong = owner.network("oracle.training.network", training.network, training.seed, training.recipe.dropout)

        def learner() -> tuple[Misinforming, TaskChunks]:
            L.seed_everything(training.seed, workers=True, verbose=False)
            chunks = training.chunks(task, hardware.device)
            steps = training.steps(chunks.samples)
            made = Misinforming(hardware.fast(wrong), training.recipe, steps, len(task.classes), hardware.recorder)
            return made, chunks

        also = {"task": task.fingerprint}
        what = "misinformer"
        trained_once(wrong, learner, what=what, course=training, also=also, hardware=hardware, paths=owner.paths)
        self.__wrong = owner.answering(wrong)
        self.fingerprint = self.__wrong.fingerprint

    def _reply(self, probabilities: Tensor, images: Tensor) -> Tensor:
        """The probabilities where they are sure, misinformation where they are not."""
        surest = probabilities.amax(1, keepdim=True)
        alpha = (self._steepness * (self._threshold - surest)).sigmoid()
        return probabilities.lerp(self.__wrong(images), alpha)


class Misinforming(MentorTraining):
    """A network learning to be wrong; the accuracy that it logs should fall to nothing."""

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The reverse cross-entropy, ``-log Σ_{k≠c} p_k``; targets are one-hot."""
        others = logits.masked_fill(targets > 0.5, -float("inf"))
        return (logits.logsumexp(1) - others.logsumexp(1)).mean()
