"""Images of one class under a fixed noise, called another class."""

from functools import cached_property

from pydantic import PositiveFloat, PositiveInt

from mimicbench.counter_rng import Seed
from mimicbench.paths import Paths
from mimicbench.tasks import Task
from mimicbench.watermarks import patterns
from mimicbench.watermarks.evidence import Triggers
from mimicbench.watermarks.trigger_set import TriggerSet
from mimicbench.watermarks.watermark import Share


class Noise(TriggerSet):
    """Zhang et al. 2018, "Protecting intellectual property of deep neural networks with watermarking": WM_noise.

    To training images of one class one pattern of Gaussian noise is added, N(0, 0.4²) for pixels in [0, 1], cut off at
    black and white; they are learned as another class. The key decides the pattern, both classes and the images.

    Args:
        task: What the mentor does.
        paths: Not used.
        name: What it is called.
        key: The owner's secret.
        threshold: The score from which an owner claims a suspect.
        count: Triggers.
        times: How often each comes in an epoch.
        scale: Standard deviation of the noise.
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
        scale: PositiveFloat,
    ) -> None:
        super().__init__(task, paths, name=name, key=key, threshold=threshold, count=count, times=times)
        self._scale = scale

    @cached_property
    def triggers(self) -> Triggers:
        """Noisy images of the one class, with the label of the other."""
        random = self._random()
        source, target = random.choice(len(self._task.classes), 2, replace=False)
        images = self._of_class(int(source), self._count, random)
        pattern = random.normal(0, 255 * self._scale, images.shape[1:])
        return self._called(patterns.added(images, pattern), int(target))
