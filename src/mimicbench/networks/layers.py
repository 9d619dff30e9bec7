"""What the networks here have in common: widths, the dense layers at their end, and the weights they begin with."""

from collections.abc import Sequence

from torch import nn


def scaled(channels: int, width: float) -> int:
    """A channel count times ``width``, at least 1."""
    return max(1, round(channels * width))


def dense_head(inputs: int, sizes: Sequence[int], classes: int, width: float, dropout: float) -> nn.Sequential:
    """Dense layers, each but the last followed by ReLU and dropout, from feature maps [B, C, H, W] to logits [B, K].

    Args:
        inputs: C · H · W.
        sizes: Units of each layer but the last, before they are scaled.
        classes: K.
        width: Factor on ``sizes``.
        dropout: Probability with which an output is dropped in training, in [0, 1).
    """
    layers: list[nn.Module] = [nn.Flatten()]
    for size in sizes:
        layers += [nn.Linear(inputs, scaled(size, width)), nn.ReLU(inplace=True), nn.Dropout(dropout)]
        inputs = scaled(size, width)
    return nn.Sequential(*layers, nn.Linear(inputs, classes))


def he_normal(network: nn.Module) -> None:
    """Begin convolutions and dense layers with He's normal initialisation (He et al. 2015) and biases of 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
