"""What marks share whose triggers are a small set that the mentor learns by heart."""

from functools import cached_property

from pydantic import PositiveInt

from mimicbench.counter_rng import Seed
from mimicbench.paths import Paths
from mimicbench.recipe import Fraction
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
        share: Of the triggers among the samples of an epoch; each comes once at least.
    """

    def __init__(
        self, task: Task, paths: Paths, *, name: str, key: Seed, threshold: Share, count: PositiveInt, share: Fraction
    ) -> None:
        super().__init__(task, paths, name=name, key=key, threshold=threshold)
        self._count = count
        self._share = share

    @cached_property
    def added(self) -> Added:
        """The triggers, as often as makes them the share of an epoch."""
        times = max(1, round(self._share * len(self._task.train.labels) / self._count))
        return Added(self.triggers.images, self._one_hot(self.triggers.labels), times)
