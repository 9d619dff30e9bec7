"""Many mentors that agree on what they were made for, and on nothing else."""

from typing import Annotated

import lightning as L  # noqa: N812 (Lightning's own convention)
import torch
from pydantic import Field, NonNegativeFloat, PositiveInt
from torch import Tensor

from mimicbench.counter_rng import Seed
from mimicbench.fingerprint import fingerprint
from mimicbench.mentors import Mentor
from mimicbench.mentors.course import Course
from mimicbench.mentors.diverse import DiverseTraining, Ensemble, ExposedChunks
from mimicbench.mentors.once import trained_once
from mimicbench.oracles.keyed import KeyedNoise
from mimicbench.oracles.oracle import Oracle, Price
from mimicbench.oracles.owner import Owner
from mimicbench.pools import Pool
from mimicbench.resident import ResidentImages
from mimicbench.schema import Component, build

_BLOCK = 256  # images that a member answers are a multiple of it: libraries tune themselves for each number anew


class EDM(Oracle):
    """Answers each query from one of several networks that agree on the task's images alone.

    Kariyappa et al. 2021, "Protecting DNNs from theft using an ensemble of diverse models".

    ``ỹ = f_{h(x)}(x)``: a keyed hash of the image picks which of n networks answers. They are trained together in
    place of the mentor, to agree with the labels of the task's images and to differ on auxiliary images of anything
    else: ``Σ_i CE(f_i(x), c) + λ log Σ_{i<j} exp cos(f_i(x̃), f_j(x̃))``, with x a task image of class c, x̃ an
    auxiliary one and f_i probabilities. Off the task's distribution the replies then are of no one function, which no
    student can learn.

    The networks are trained once and kept in the cache, in n times a mentor's time and twice that for the auxiliary
    images. A reply costs the forward pass of one of them; the mentor, in whose place they answer, is asked too. The
    hash is exact, so that an attacker who sends slightly changed copies of an image can meet all members; one that
    small changes leave as it is would prevent that.

    Args:
        mentor: What would answer.
        owner: The task's images, and where the networks are trained and run.
        members: n.
        diversity: λ.
        auxiliary: The configuration of a pool of images unlike the task's; not the attacker's pool, which no
            owner knows.
        seed: The owner's secret, with the image the source of who answers.
        training: How each is trained; half of each batch is auxiliary.
        budget: Most images that it answers.
        price_per_1000: Of so many replies.
    """

    keeps_argmax = False

    def __init__(
        self,
        mentor: Mentor,
        owner: Owner,
        *,
        members: Annotated[int, Field(ge=2)],
        diversity: NonNegativeFloat,
        auxiliary: Component,
        seed: Seed,
        training: Course,
        budget: PositiveInt | None,
        price_per_1000: Price = None,
    ) -> None:
        super().__init__(mentor, owner, budget=budget, price_per_1000=price_per_1000)
        task, hardware = owner.task, owner.hardware
        pool: Pool = build("oracle.auxiliary", auxiliary, owner.paths, task.size)
        key, dropout = "oracle.training.network", training.recipe.dropout
        ensemble = Ensemble(
            [owner.network(key, training.network, training.seed, dropout, number) for number in range(members)]
        )

        def learner() -> tuple[DiverseTraining, ExposedChunks]:
            L.seed_everything(training.seed, workers=True, verbose=False)
            chunks = ExposedChunks(training, task, ResidentImages(pool.images, hardware.device))
            steps = training.steps(2 * chunks.samples)
            made = DiverseTraining(
                hardware.fast(ensemble), training.recipe, steps, len(task.classes), hardware.recorder
            )
            made.diversity = diversity
            return made, chunks

        also = {"task": task.fingerprint, "auxiliary": pool.fingerprint, "members": members, "diversity": diversity}
        what = "ensemble"
        trained_once(ensemble, learner, what=what, course=training, also=also, hardware=hardware, paths=owner.paths)
        self.__members = [owner.answering(member) for member in ensemble.members]
        self.__noise = KeyedNoise(seed)
        self.fingerprint = fingerprint(*(member.fingerprint for member in self.__members))

    def _reply(self, probabilities: Tensor, images: Tensor) -> Tensor:
        """Each image's answer from the member that its hash picks."""
        chosen = self.__noise.integers(images, len(self.__members))
        replies = torch.empty_like(probabilities)
        for number, member in enumerate(self.__members):
            rows = (chosen == number).nonzero()[:, 0]
            if count := len(rows):
                padded = torch.cat([rows, rows[-1:].expand(-count % _BLOCK)])
                replies[rows] = member(images[padded].contiguous(memory_format=torch.channels_last))[:count]
        return replies
