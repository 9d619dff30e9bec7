"""What networks here have in common: how wide their layers are, and which weights they begin with."""

from torch import nn


def scaled(channels: int, width: float) -> int:
    """A channel count times ``width``, at least 1."""
    return max(1, round(channels * width))


def he_normal(network: nn.Module) -> None:
    """Begin convolutions and dense layers with He's normal initialisation (He et al. 2015) and biases of 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
