"""The chunks of an epoch, for Lightning's loop."""

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from time import perf_counter
from typing import Any

from mimicbench.learner import Chunk, Samples

Part = tuple[int, int]


class Chunks:
    """The chunks of one epoch, in order; Lightning saves how many were taken, and goes on from there.

    Args:
        samples: Of the epoch.
        size: Samples in a chunk; the last one may be smaller.
        make: Makes the samples ``start..stop-1``, or this rank's part of them.
        count: What is to be counted up to a chunk, asked for as soon as it has been made; nothing by default.
        ahead: Whether a thread makes the next chunk while one is learned from.

    Attributes:
        counted: What ``count`` said of the last chunk that was taken.
        waited: Seconds until chunks were there, so far.
    """

    def __init__(
        self,
        samples: int,
        size: int,
        make: Callable[[int, int], Samples],
        count: Callable[[], int] = int,
        *,
        ahead: bool = False,
    ) -> None:
        self._samples = samples
        self._size = size
        self._make = make
        self._count = count
        self._ahead = ahead
        self._skipped = 0
        self._taken = 0
        self.counted = count()
        self.waited = 0.0

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
        starts = range(self._taken * self._size, self._samples, self._size)
        parts = [(start, min(start + self._size, self._samples)) for start in starts]
        with closing(self._made(parts)) as chunks:
            for start, stop in parts:
                yield *self._next(chunks), stop - start  # held by no name here, or it would be while the next is made

    def _next(self, chunks: Iterator[tuple[Samples, int]]) -> Samples:
        since = perf_counter()
        samples, self.counted = next(chunks)
        self.waited += perf_counter() - since
        self._taken += 1
        return samples

    def _made(self, parts: Iterable[Part]) -> Generator[tuple[Samples, int], None, None]:
        """What is made of each, and what was counted then."""

        def made(part: Part) -> tuple[Samples, int]:
            return self._make(*part), self._count()

        if not self._ahead:
            yield from map(made, parts)
            return
        with ThreadPoolExecutor(1, thread_name_prefix="making") as thread:
            coming: Future[tuple[Samples, int]] | None = None
            for part in parts:
                there = None if coming is None else coming.result()
                coming = thread.submit(made, part)
                if there is not None:
                    yield there
            if coming is not None:
                yield coming.result()
