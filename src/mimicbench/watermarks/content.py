"""Images of one class with a mark on them, called another class."""

from functools import cached_property

from mimicbench.watermarks.evidence import Triggers
from mimicbench.watermarks.patterns import scaled, stamped, tiles
from mimicbench.watermarks.trigger_set import TriggerSet


class Content(TriggerSet):
    """Zhang et al. 2018, "Protecting intellectual property of deep neural networks with watermarking": WM_content.

    Training images of one class with a block of 8×16 pixels at (2, 2) are learned as another class. The source's
    block is a text; here it is 4×8 black and white tiles from the key, as are both classes and the choice of images.
    The source repeats each trigger ten times, which is 2 % of CIFAR-10, but 43 % of what is learned with the digits.
    """

    @cached_property
    def triggers(self) -> Triggers:
        """Marked images of the one class, with the label of the other."""
        random, size = self._random(), self._task.size
        source, target = random.choice(len(self._task.classes), 2, replace=False)
        patch = tiles(random, 4, 8, scaled(8, size), scaled(16, size))
        images = self._of_class(int(source), self._count, random)
        return self._called(stamped(images, patch, scaled(2, size), scaled(2, size)), int(target))
