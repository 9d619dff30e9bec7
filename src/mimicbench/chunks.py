"""The chunks of an epoch, for Lightning's loop."""

from collections.abc import Callable, Iterator
from typing import Any

from mimicbench.learner import Chunk, Samples


class Chunks:
    """The chunks of one epoch, in order; Lightning saves how many were taken, and goes on from there.

    Args:
        samples: Of the epoch.
        size: Samples in a chunk; the last one may be smaller.
        make: Makes the samples ``start..stop-1``, or this rank's part of them.
    """

    def __init__(self, samples: int, size: int, make: Callable[[int, int], Samples]) -> None:
        self._samples = samples
        self._size = size
        self._make = make
        self._skipped = 0
        self._taken = 0

    def state_dict(self) -> dict[str, Any]:
        """How many chunks were taken."""
        return {"taken": self._taken}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Begin the next walk through the epoch after the chunks that were taken."""
        self._skipped = state_dict["taken"]

    def __len__(self) -> int:
        return -(-self._samples // self._size)

    def __iter__(self) -> Iterator[Chunk]:
        self._taken, self._skipped = self._skipped, 0
        for start in range(self._taken * self._size, self._samples, self._size):
            self._taken += 1
            stop = min(start + self._size, self._samples)
            yield *self._make(start, stop), stop - start
