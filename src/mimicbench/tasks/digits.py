"""The embedded task: scikit-learn's handwritten digits, 1,797 grey images of 8x8 pixels. Needs no network."""

from typing import Annotated

import numpy as np
from PIL import Image
from pydantic import Field
from sklearn.datasets import load_digits

from mimicbench.images.content import Content
from mimicbench.images.source import Block
from mimicbench.paths import Paths
from mimicbench.tasks.task import LabelledImages, Task

_TEST_EVERY = 4


def digits(paths: Paths, *, size: Annotated[int, Field(ge=32)]) -> Task:
    """The digits 0 to 9, enlarged (bicubic) and as RGB.

    Every fourth image of each class is for the test, so the split is stratified and always the same.

    Args:
        paths: Not used: the images come with scikit-learn, and enlarging them takes no time worth a cache.
        size: Height and width of an image, in pixels.

    Returns:
        10 classes, 1,352 train and 445 test images, uint8 [N, size, size, 3].
    """
    data = load_digits()
    grey = np.round(data.images * (255 / 16)).astype(np.uint8)  # [N, 8, 8], from 0..16 to 0..255
    large = [Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC) for image in grey]
    images = np.repeat(np.stack([np.asarray(image) for image in large])[..., None], 3, axis=3)
    labels = data.target.astype(np.int64)

    place_in_class = np.empty_like(labels)
    for label in range(10):
        members = np.flatnonzero(labels == label)
        place_in_class[members] = np.arange(len(members))
    test = place_in_class % _TEST_EVERY == _TEST_EVERY - 1

    content = Content()
    for part in (~test, test):
        content.add(Block(images[part], labels[part]))
    return Task(
        classes=tuple(str(label) for label in range(10)),
        training=LabelledImages(images[~test], labels[~test]),
        test=LabelledImages(images[test], labels[test]),
        fingerprint=content.fingerprint(),
    )
