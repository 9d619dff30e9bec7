"""Images of one class with a mark on them, called another class."""

from functools import cached_property

from pydantic import PositiveInt

from mimicbench.counter_rng import Seed
from mimicbench.paths import Paths
from mimicbench.recipe import Fraction
from mimicbench.tasks import Task
from mimicbench.watermarks.evidence import Triggers
from mimicbench.watermarks.patterns import scaled, stamped, tiles
from mimicbench.watermarks.watermark import Added, Share, TriggerMark


class Content(TriggerMark):
    """Zhang et al. 2018, "Protecting intellectual property of deep neural networks with watermarking": WM_content.

    Training images of one class with a block of 8×16 pixels at (2, 2) are learned as another class. The source's block
    is a text; here it is 4×8 black and white tiles from the key, as are both classes and the choice of images.

    Args:
        task: What the mentor does.
        paths: Not used.
        name: What it is called.
        key: The owner's secret.
        threshold: The score from which an owner claims a suspect.
        count: Triggers.
        share: Of the triggers among the samples of an epoch; each comes once at least. The source repeats each ten
            times, which is 2 % of CIFAR-10.
    """

    def __init__(
        self, task: Task, paths: Paths, *, name: str, key: Seed, threshold: Share, count: PositiveInt, share: Fraction
    ) -> None:
        super().__init__(task, paths, name=name, key=key, threshold=threshold)
        self._count = count
        self._share = share

    @cached_property
    def triggers(self) -> Triggers:
        """Marked images of the one class, with the label of the other."""
        random, size = self._random(), self._task.size
        source, target = random.choice(len(self._task.classes), 2, replace=False)
        patch = tiles(random, 4, 8, scaled(8, size), scaled(16, size))
        images = self._of_class(int(source), self._count, random)
        return self._called(stamped(images, patch, scaled(2, size), scaled(2, size)), int(target))

    @cached_property
    def added(self) -> Added:
        """The triggers."""
        return self._repeated(self.triggers, self._share)
