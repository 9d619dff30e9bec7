"""A task made of two sources of images."""

from pathlib import Path

from mimicbench.fingerprint import fingerprint
from mimicbench.images.cache import CachedImages, load
from mimicbench.images.source import Source
from mimicbench.tasks.task import LabelledImages, Task


def decoded(classes: tuple[str, ...], train: Source | None, test: Source, cache_dir: Path) -> Task:
    """Decode both splits, or open their caches.

    Args:
        classes: The class names, in the order of the sources' labels.
        train: Labelled images that the mentor learns from, if there are any.
        test: Labelled images for the comparison.
        cache_dir: Where the caches lie.

    Returns:
        The task.

    Raises:
        UserError: A source cannot be read, or the cache cannot be written.
    """
    learnt, compared = None if train is None else load(train, cache_dir), load(test, cache_dir)
    name = fingerprint(classes, learnt and learnt.fingerprint, compared.fingerprint)
    return Task(classes, None if learnt is None else _labelled(learnt), _labelled(compared), name)


def _labelled(cached: CachedImages) -> LabelledImages:
    assert cached.labels is not None, "a task's sources have labels"
    return LabelledImages(cached.images, cached.labels)
