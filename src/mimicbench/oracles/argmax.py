"""The class that a reply names, and how a protection keeps to it."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor


def label_alone(reply: Tensor) -> Tensor:
    """1 for the most probable class, the first of equals; 0 for all others. float [B, K] to float32 [B, K]."""
    return F.one_hot(reply.argmax(1), reply.shape[1]).float()


def with_argmax(reply: Tensor, label: Tensor) -> Tensor:
    """A reply that names ``label``, whatever it named before: strictly, so that no order of equals matters.

    The largest value and the label's are exchanged, and what equals the largest is lowered by one rounding step. A
    reply whose label is the only largest is left as it is.

    Args:
        reply: float [B, K], not negative; rows sum to 1.
        label: int64 [B], values 0..K-1.

    Returns:
        float [B, K], as ``reply``, but for rounding.
    """
    place = label[:, None]
    largest, where = reply.max(1, keepdim=True)
    exchanged = reply.scatter(1, where, reply.gather(1, place)).scatter(1, place, largest)
    below = torch.nextafter(largest, torch.zeros_like(largest))
    return exchanged.minimum(below).scatter(1, place, largest)
