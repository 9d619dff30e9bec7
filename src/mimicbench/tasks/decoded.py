"""A task made of two sources of images."""

from pathlib import Path

from mimicbench.images.cache import load
from mimicbench.images.fingerprint import combined
from mimicbench.images.source import Source
from mimicbench.tasks.task import LabelledImages, Task


def decoded(classes: tuple[str, ...], train: Source, test: Source, cache_dir: Path) -> Task:
    """Decode both splits, or open their caches.

    Args:
        classes: The class names, in the order of the sources' labels.
        train: Labelled images that the mentor learns from.
        test: Labelled images for the comparison.
        cache_dir: Where the caches lie.

    Returns:
        The task.

    Raises:
        UserError: A source cannot be read, or the cache cannot be written.
    """
    splits, names = [], list(classes)
    for source in (train, test):
        cached = load(source, cache_dir)
        assert cached.labels is not None, "a task's sources have labels"
        splits.append(LabelledImages(cached.images, cached.labels))
        names.append(cached.fingerprint)
    return Task(classes, *splits, fingerprint=combined(*names))
