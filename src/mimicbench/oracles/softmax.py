"""The unprotected mentor."""

from torch import Tensor

from mimicbench.oracles.oracle import Oracle


class Softmax(Oracle):
    """Replies with the mentor's probabilities (paper, section 4.1)."""

    keeps_argmax = True

    def _reply(self, probabilities: Tensor, images: Tensor) -> Tensor:
        """The probabilities themselves."""
        return probabilities
