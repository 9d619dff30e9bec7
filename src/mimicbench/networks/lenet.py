"""LeNet-5, for tasks that are as small as handwritten digits."""

from typing import Annotated

from pydantic import Field, PositiveFloat
from torch import Tensor, nn

from mimicbench.networks.layers import dense_head, he_normal, scaled

_FILTERS = (6, 16)
_DENSE = (120, 84)


class LeNet5(nn.Module):
    """LeNet-5 (LeCun et al. 1998) with ReLU, max-pooling, and batch normalisation where it is asked for.

    Two 5×5 convolutions without padding, each followed by a 2×2 max-pooling; two dense layers of 120 and 84, each
    followed by ReLU and dropout; one dense layer of K. With width 1, 32×32 RGB images and K = 10, it has 62,006
    parameters. Weights start from He's normal initialisation, biases from zero.

    Inputs are float [B, C, H, W] in [0, 1]; the normalisation ``(x - 0.5) / 0.25`` is part of the network. Outputs are
    logits, float [B, K].

    Args:
        classes: K, the number of classes.
        size: Height and width of the images, in pixels, at least 32.
        dropout: Probability with which an output of a dense layer but the last is dropped in training, in [0, 1).
        width: Factor on all the channel counts.
        batch_norm: Normalise after each convolution.

    Example:
        >>> network = LeNet5(10, 32, 0.0, width=1.0, batch_norm=False)
        >>> sum(p.numel() for p in network.parameters())
        62006
        >>> network(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        classes: int,
        size: int,
        dropout: float,
        *,
        width: Annotated[PositiveFloat, Field(le=64)],
        batch_norm: bool,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels, side = 3, size
        for full_width in _FILTERS:
            filters = scaled(full_width, width)
            layers.append(nn.Conv2d(channels, filters, 5, bias=not batch_norm))
            layers += [nn.BatchNorm2d(filters)] if batch_norm else []
            layers += [nn.MaxPool2d(2), nn.ReLU(inplace=True)]
            channels, side = filters, (side - 4) // 2
        self.features = nn.Sequential(*layers)
        self.classifier = dense_head(channels * side**2, _DENSE, classes, width, dropout)
        he_normal(self)

    def forward(self, images: Tensor) -> Tensor:
        """Logits, float [B, K], of images, float [B, C, H, W] in [0, 1]."""
        normalised = (images - 0.5) / 0.25
        logits: Tensor = self.classifier(self.features(normalised))
        return logits
