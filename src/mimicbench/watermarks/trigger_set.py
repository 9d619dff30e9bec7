"""What marks share whose triggers are a small set that the mentor learns by heart."""

from functools import cached_property

from pydantic import PositiveInt

from mimicbench.counter_rng import Seed
from mimicbench.paths import Paths
from mimicbench.tasks import Task
from mimicbench.watermarks.watermark import Added, Share, TriggerMark


class TriggerSet(TriggerMark):
    """The mentor learns the very triggers that the owner asks about.

    Args:
        task: What the mentor does.
        paths: Where a mark reads what else it needs.
        name: What it is called.
        key: The owner's secret.
        threshold: The score from which an owner claims a suspect.
        count: Triggers.
        times: How often each comes in an epoch. The sources take 10 or so; mind what share of a small task that is.
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
    ) -> None:
        super().__init__(task, paths, name=name, key=key, threshold=threshold)
        self._count = count
        self._times = times

    @cached_property
    def added(self) -> Added:
        """The triggers with their labels."""
        return Added(self.triggers.images, self._one_hot(self.triggers.labels), self._times)
