"""No mark."""

from mimicbench.paths import Paths
from mimicbench.tasks import Task


def none(task: Task, paths: Paths) -> None:
    """Leaves the mentor as it is.

    Args:
        task: Not used.
        paths: Not used.
    """
