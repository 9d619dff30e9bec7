"""VGG-16 as the paper modifies it, and its batch-normalised and narrower kin."""

from typing import Annotated

from pydantic import Field, PositiveFloat
from torch import Tensor, nn

from mimicbench.networks.layers import dense_head, he_normal, scaled

_STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
_DENSE = (512, 512)


class VGG16(nn.Module):
    """The modified VGG-16 of the paper's Table 1.

    Thirteen 3×3 convolutions in five stages, each stage followed by a 2×2 max-pooling; two dense layers of 512, each
    followed by ReLU and dropout; one dense layer of K. With width 1, 32×32 RGB images and K = 10, it has
    15,245,130 parameters. Weights start from He's normal initialisation (He et al. 2015), from which the plain
    network trains where PyTorch's default does not; biases from zero.

    Inputs are float [B, C, H, W] in [0, 1]; the normalisation ``(x - 0.5) / 0.25`` is part of the network. Outputs are
    logits, float [B, K].

    Args:
        classes: K, the number of classes.
        size: Height and width of the images, in pixels, at least 32; the first dense layer sees ⌊size / 32⌋² positions.
        dropout: Probability with which an output of a dense layer of 512 is dropped in training, in [0, 1).
        width: Factor on all the channel counts.
        batch_norm: Normalise after each convolution. Table 1 names none.

    Example:
        >>> network = VGG16(10, 32, 0.0, width=1.0, batch_norm=False)
        >>> sum(p.numel() for p in network.parameters())
        15245130
        >>> network(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        classes: int,
        size: int,
        dropout: float,
        *,
        width: Annotated[PositiveFloat, Field(le=8)],
        batch_norm: bool,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for stage in _STAGES:
            for full_width in stage:
                filters = scaled(full_width, width)
                layers.append(nn.Conv2d(channels, filters, 3, padding=1, bias=not batch_norm))
                layers += [nn.BatchNorm2d(filters)] if batch_norm else []
                layers.append(nn.ReLU(inplace=True))
                channels = filters
            layers.insert(-1, nn.MaxPool2d(2))  # before the ReLU: the same, for the maximum keeps order, on a quarter
        self.features = nn.Sequential(*layers)

        inputs = channels * (size // 2 ** len(_STAGES)) ** 2
        self.classifier = dense_head(inputs, _DENSE, classes, width, dropout)
        he_normal(self)

    def forward(self, images: Tensor) -> Tensor:
        """Logits, float [B, K], of images, float [B, C, H, W] in [0, 1]."""
        normalised = (images - 0.5) / 0.25
        logits: Tensor = self.classifier(self.features(normalised))
        return logits
