"""The mentor that is protected by saying as little as possible."""

from torch import Tensor

from mimicbench.oracles.argmax import label_alone
from mimicbench.oracles.oracle import Oracle


class Label(Oracle):
    """Replies with the predicted class alone, one-hot (paper, section 4.2)."""

    keeps_argmax = True
    names_class_only = True

    def _reply(self, probabilities: Tensor, images: Tensor) -> Tensor:
        """1 for the most probable class, the first of equals; 0 for all others."""
        return label_alone(probabilities)
