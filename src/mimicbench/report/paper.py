"""What the paper reports, to stand beside our own figures."""

from typing import NamedTuple


class Reported(NamedTuple):
    """A row of Table 4, in the paper's own digits."""

    accuracy: str
    relative: str


MENTOR = "90.48%"
"""Test accuracy of the paper's mentor (Table 4)."""

TABLE_4 = {
    ("standard", "softmax"): Reported("89.10%", "98.47%"),
    ("standard", "label"): Reported("87.46%", "96.66%"),
    ("composite", "label"): Reported("89.59%", "99.01%"),
}
"""By attack and oracle: CIFAR-10, VGG-16, 100 epochs, ImageNet-32 as pool; the paper gives no spread over seeds."""
