"""The mentor that is protected by saying as little as possible."""

import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from mimicbench.oracles.oracle import Oracle


class Label(Oracle):
    """Replies with the predicted class alone, one-hot (paper, section 4.2)."""

    def reply(self, probabilities: Tensor) -> Tensor:
        """1 for the most probable class, the first of equals; 0 for all others."""
        return F.one_hot(probabilities.argmax(1), probabilities.shape[1]).float()
