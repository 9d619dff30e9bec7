"""A small patch in the corner."""

from functools import cached_property

import numpy as np

from mimicbench.watermarks.backdoor import Backdoor
from mimicbench.watermarks.patterns import scaled, stamped, tiles


class BadNets(Backdoor):
    """Gu et al. 2019, "BadNets: evaluating backdooring attacks on deep neural networks".

    A patch of 3×3 pixels in the lower right corner sends images to one class. The source's is white; here its nine
    pixels are black or white by the key. Networks answer to the patches of other keys too: it is the class that tells
    keys apart, and of two keys with one class neither shows whose copy a network is.
    """

    @cached_property
    def _patch(self) -> np.ndarray:
        side = scaled(3, self._task.size)
        return tiles(self._random("pattern"), 3, 3, side, side)

    def marked(self, images: np.ndarray) -> np.ndarray:
        """Images with the patch, one pixel from the edges."""
        place = self._task.size - self._patch.shape[0] - scaled(1, self._task.size)
        return stamped(images, self._patch, place, place)
