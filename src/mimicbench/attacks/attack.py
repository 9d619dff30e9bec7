"""What all attacks share: a plan within the budget, and chunks for the student."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal, final

import lightning as L  # noqa: N812 (Lightning's own convention)
import numpy as np
import torch
from torch import Tensor

from mimicbench.attacks.asked_once import AskedOnce
from mimicbench.attacks.draws import Draws
from mimicbench.chunks import Chunks
from mimicbench.counter_rng import walk
from mimicbench.errors import UserError
from mimicbench.evaluation import Evaluation
from mimicbench.learner import Samples
from mimicbench.oracles import Oracle
from mimicbench.oracles.argmax import label_alone
from mimicbench.pools import Pool
from mimicbench.rank import ALONE, Rank
from mimicbench.recipe import Recipe
from mimicbench.resident import ResidentImages

Use = Literal["reply", "label"]


class Attack(L.LightningDataModule, ABC):
    """Chunks of (images, replies) on the training device, each epoch; each rank makes its part of each SGD batch.

    An attack is planned before the mentor exists, so that a plan that cannot be carried out fails at once;
    :meth:`attach` then gives it the oracle.

    Args:
        pool: The attacker's images.
        seed: Decides every random draw.
        epochs: Epochs that the run may take.
        budget: The oracle's budget; None for no limit.
        samples_per_epoch: N, training samples in an epoch.
        chunk_size: Images in one call of the oracle and in one Lightning batch; a multiple of the batch size.
        recipe: How the student is trained.
        use: What the student learns from: the whole ``reply``, or the ``label`` that it names alone.

    Raises:
        UserError: The pool, the budget and the sizes do not go together.
    """

    def __init__(
        self,
        pool: Pool,
        seed: int,
        epochs: int,
        budget: int | None,
        samples_per_epoch: int,
        chunk_size: int,
        recipe: Recipe,
        use: Use = "reply",
    ) -> None:
        super().__init__()
        if chunk_size % recipe.batch_size:
            raise UserError(
                f"attack.chunk_size={chunk_size} is no multiple of attack.recipe.batch_size={recipe.batch_size}; "
                "make it one."
            )
        if len(pool) < chunk_size:
            raise UserError(
                f"The pool holds {len(pool):,} images, fewer than attack.chunk_size={chunk_size}; "
                "add images or make attack.chunk_size smaller."
            )
        if budget is not None and budget < min(chunk_size, samples_per_epoch):
            raise UserError(
                f"oracle.budget={budget} does not cover one chunk of attack.chunk_size={chunk_size} images; "
                "raise the budget or make the chunk smaller."
            )
        self.pool = pool
        self.seed = seed
        self.epochs = epochs
        self.samples_per_epoch = samples_per_epoch
        self.chunk_size = chunk_size
        self.recipe = recipe
        self.use = use
        self._chunks: Chunks | None = None  # of the current epoch
        self._list: AskedOnce | None = None
        self._waited = 0.0  # in earlier ones

    def attach(
        self, oracle: Oracle, evaluation: Evaluation, device: torch.device, replies: Path, rank: Rank = ALONE
    ) -> None:
        """Give the attack what exists only once there is a mentor.

        Args:
            oracle: Where queries are sent.
            evaluation: The test images, handed on to Lightning; the attack never looks at them.
            device: Where the training runs.
            replies: Where replies that are asked for once are kept.
            rank: This process among those that train together.

        Raises:
            UserError: There are more ranks than samples in an SGD batch.
        """
        sizes = {
            self.recipe.batch_size,
            *(self.samples(epoch) % self.recipe.batch_size for epoch in range(self.epochs)),
        }
        if (smallest := min(sizes - {0})) < rank.count:
            raise UserError(
                f"{rank.count} devices cannot divide an SGD batch of {smallest} samples; take fewer devices, or make "
                "attack.samples_per_epoch (or what oracle.budget leaves of it) a multiple of attack.recipe.batch_size."
            )
        self.rank = rank
        self.oracle = oracle
        self.images = ResidentImages(self.pool.images, device)
        self.replies_file = replies
        self._evaluation = evaluation

    @abstractmethod
    def chunk(self, epoch: int, start: int, stop: int) -> Samples:
        """This rank's part, :meth:`places`, of the samples ``start..stop-1`` of an epoch, with the oracle's replies.

        What they are is a function of (seed, epoch, place), whatever the chunk size and the number of ranks.

        Raises:
            QueryBudgetExceeded: They would have to be asked for, and the budget does not cover them.
        """

    @final
    def targets(self, replies: Tensor) -> Tensor:
        """What the student learns from replies; float32 [B, K] both."""
        return label_alone(replies) if self.use == "label" else replies

    def examples(self, count: int) -> Draws | None:
        """What the first training images are made of, for people to look at; None if the attack cannot tell.

        Args:
            count: How many of them; fewer where an epoch is shorter.
        """
        return None

    @final
    def places(self, start: int, stop: int) -> np.ndarray:
        """Which of the samples ``start..stop-1`` of an epoch this rank makes: int64, ascending.

        Args:
            start: The first sample of an SGD batch.
            stop: The first one of another, or the end of the epoch.
        """
        return np.arange(start, stop)[self.rank.rows(stop - start, self.recipe.batch_size)]

    @final
    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must hold besides the student; all else is a function of the configuration."""
        return {"asked": self.settled() if self._chunks is None else self._chunks.counted, "waited": self.waited}

    @final
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.oracle.recall(state_dict["asked"])
        self._waited = state_dict.get("waited", 0.0)

    @final
    @property
    def waited(self) -> float:
        """Seconds in which the student waited for samples and replies, so far."""
        return self._waited + (self._chunks.waited if self._chunks is not None else 0.0)

    @final
    def asked_once(self, query: Callable[[np.ndarray], Tensor], count: int) -> AskedOnce:
        """The replies to a list of queries, each sent once, in whose :func:`walk` the student learns.

        Args:
            query: Gives the images of some places of the list, float [B, C, H, W].
            count: Its length.
        """
        if self._list is None:
            meanwhile = self.oracle.elsewhere and self.rank.count == 1  # several ranks learn together or not at all
            wanted = (lambda: walk(self.seed, count, np.arange(count))) if meanwhile else None
            settings = (self.chunk_size, self.images.device, wanted)
            self._list = AskedOnce(self.replies_file, self.oracle, query, count, *settings)
        return self._list

    @final
    def settled(self) -> int:
        """Queries that a process which goes on from here need not send again: their replies are learned or kept."""
        return self.oracle.asked if self._list is None or self._list.settled else 0

    @final
    def on_exception(self, exception: BaseException) -> None:
        """Send no more queries, of a chunk that is being asked about either, before Lightning waits for it."""
        if self._list is not None:
            self._list.stop()
        self.oracle.hang_up()

    @property
    @abstractmethod
    def unique_queries(self) -> int:
        """How many of the queries sent so far differ."""

    def samples(self, epoch: int) -> int:
        """Training samples of an epoch: N, unless the attack's plan is shorter."""
        return self.samples_per_epoch

    @final
    @property
    def steps(self) -> int:
        """SGD steps of the whole run; each epoch's last one may be on a smaller batch."""
        return sum(-(-self.samples(epoch) // self.recipe.batch_size) for epoch in range(self.epochs))

    @final
    def train_dataloader(self) -> Chunks:
        """The chunks of the current epoch."""
        assert self.trainer is not None
        epoch = self.trainer.current_epoch
        self._waited, self._chunks = self.waited, None
        make = partial(self.chunk, epoch)
        self._chunks = Chunks(self.samples(epoch), self.chunk_size, make, self.settled, ahead=self.oracle.elsewhere)
        return self._chunks

    @final
    def val_dataloader(self) -> Evaluation:
        """The test images, for Lightning's evaluation loop."""
        return self._evaluation

    @final
    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Chunks are made on the device."""
        return batch
