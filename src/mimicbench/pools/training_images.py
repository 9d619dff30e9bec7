"""The mentor's own training images, which an attacker hardly has."""

from mimicbench.paths import Paths
from mimicbench.pools.pool import Pool
from mimicbench.schema import Component, build
from mimicbench.tasks import Task


def training_images(paths: Paths, size: int, *, task: Component) -> Pool:
    """All training images of a task, without their labels and without any mark.

    With ``oracle=softmax`` a student learns from them as knowledge is distilled; a mark that is not found even there
    is hard to find anywhere.

    Args:
        paths: Where data sets and caches lie.
        size: Height and width of an image, in pixels; not used, for the task says it too.
        task: The task's configuration.

    Returns:
        uint8 [N, size, size, 3], in the order of the task.
    """
    named: Task = build("pool.task", task, paths)
    return Pool(named.train.images, named.fingerprint)
