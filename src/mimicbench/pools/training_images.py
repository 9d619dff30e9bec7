"""The mentor's own training images, which an attacker hardly has."""

from hashlib import blake2b

import numpy as np

from mimicbench.fingerprint import fingerprint
from mimicbench.paths import Paths
from mimicbench.pools.pool import Pool
from mimicbench.schema import Component, build
from mimicbench.tasks import Task
from mimicbench.watermarks import Watermark


def training_images(paths: Paths, size: int, *, task: Component, watermark: Component | None = None) -> Pool:
    """All that a mentor learns from, each image once and without a label: those of its task, and what its mark adds.

    With ``oracle=softmax`` a student learns from them as knowledge is distilled; a mark that shows in answers and is
    not found even there is hard to find anywhere. What ``frontier_stitching`` adds is made with the mentor itself, and
    is not among them.

    Args:
        paths: Where data sets and caches lie.
        size: Height and width of an image, in pixels; not used, for the task says it too.
        task: The task's configuration.
        watermark: The mark's configuration; None for the images of the task alone.

    Returns:
        uint8 [N, size, size, 3], in the order of the task, what the mark adds at the end.
    """
    named: Task = build("pool.task", task, paths)
    mark: Watermark | None = build("pool.watermark", watermark, named, paths) if watermark is not None else None
    if mark is None or mark.images is None:
        return Pool(named.train.images, named.fingerprint)
    content = blake2b(np.ascontiguousarray(mark.images).data, digest_size=16).hexdigest()
    return Pool(np.concatenate([named.train.images, mark.images]), fingerprint(named.fingerprint, content))
