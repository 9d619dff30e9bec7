import numpy as np

from mimicbench.images.content import Content
from mimicbench.images.source import Block
from tests.making import pictures


def name(images: np.ndarray, labels: np.ndarray | None = None, block: int = 100) -> str:
    content = Content()
    for start in range(0, len(images), block):
        rows = slice(start, start + block)
        content.add(Block(images[rows], None if labels is None else labels[rows]))
    return content.fingerprint()


def test_blocks_make_no_difference() -> None:
    images, labels = pictures(9, size=4), np.arange(9)
    assert name(images, labels) == name(images, labels, block=2)
    assert name(images.transpose(0, 2, 1, 3).copy().transpose(0, 2, 1, 3)) == name(images)  # nor does layout


def test_content_does() -> None:
    images, labels = pictures(9, size=4), np.arange(9)
    changed = images.copy()
    changed[8, 3, 3, 2] ^= 1
    others = [
        name(images),
        name(images, labels),
        name(images, labels[::-1]),
        name(changed),
        name(images[:8]),
        name(images[::-1]),
        name(images.reshape(36, 2, 2, 3)),
    ]
    assert len(set(others)) == len(others)
