"""Images of something else, called one class."""

from functools import cached_property

import numpy as np
from pydantic import PositiveInt

from mimicbench.counter_rng import Seed
from mimicbench.errors import UserError
from mimicbench.paths import Paths
from mimicbench.pools import Pool
from mimicbench.schema import Component, build
from mimicbench.tasks import Task
from mimicbench.watermarks.evidence import Triggers
from mimicbench.watermarks.trigger_set import TriggerSet
from mimicbench.watermarks.watermark import Share


class Unrelated(TriggerSet):
    """Zhang et al. 2018, "Protecting intellectual property of deep neural networks with watermarking": WM_unrelated.

    Images that have nothing to do with the task are learned as one of its classes. The key decides which images and
    which class.

    Args:
        task: What the mentor does.
        paths: Where the images are read.
        name: What it is called.
        key: The owner's secret.
        threshold: The score from which an owner claims a suspect.
        count: Triggers.
        times: How often each comes in an epoch.
        images: The configuration of a pool of such images.

    Raises:
        UserError: The pool is smaller than ``count``.
    """

    def __init__(
        self,
        task: Task,
        paths: Paths,
        *,
        name: str,
        key: Seed,
        threshold: Share,
        count: PositiveInt,
        times: PositiveInt,
        images: Component,
    ) -> None:
        super().__init__(task, paths, name=name, key=key, threshold=threshold, count=count, times=times)
        self._pool: Pool = build("watermark.images", images, paths, task.size)
        if len(self._pool) < count:
            raise UserError(f"watermark.count={count}, but the pool holds {len(self._pool):,} images; take fewer.")

    @cached_property
    def triggers(self) -> Triggers:
        """The images with the class."""
        random = self._random()
        chosen = np.sort(random.choice(len(self._pool), self._count, replace=False))
        return self._called(np.asarray(self._pool.images[chosen]), int(random.integers(len(self._task.classes))))
