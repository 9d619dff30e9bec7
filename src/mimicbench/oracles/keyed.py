"""Random numbers that belong to an image: the same for its owner whenever, and in whatever batch, it comes."""

import numpy as np
import torch
from torch import Tensor

from mimicbench.counter_rng import generator
from mimicbench.resident import answered_at_once

_EXACT = 8192  # bytes, each below 2⁸, by keys below 2³²: sums stay below 2⁵³
_COLUMNS = 2  # of the linear hash: 2 × 32 bits of key for each byte of an image
_THRESHOLD = 0.5037  # between two grey levels: off the hundredths that blends of two images by a whole percent lie on
_GOLDEN = -0x61C8864680B583EB  # 0x9E3779B97F4A7C15 as int64, the increment of SplitMix64
_MIX = ((30, -0x40A7B892E31B1A47), (27, -0x6B2FB644ECCEEE15), (31, None))  # its finaliser


class KeyedNoise:
    """Random numbers as a function of an owner's seed and an image alone.

    An image is rounded to bytes, as an API would receive it, so that floats that differ in their last bits are the
    same image. Its bytes times secret random numbers of 32 bits, summed in two columns, are its hash: sums of parts
    that stay below 2⁵³, exact in float64 in any order and so in any batch, on any device; two images collide with a
    probability of 2⁻⁶⁴. SplitMix64 (Steele et al. 2014, "Fast splittable pseudorandom number generators") makes the
    numbers of it. 5 µs an image of 32×32 on one core of an AMD EPYC.

    Args:
        seed: The owner's.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._keys: Tensor | None = None

    def uniforms(self, images: Tensor, columns: int) -> Tensor:
        """Uniform numbers for each image.

        Args:
            images: float [B, C, H, W] in [0, 1].
            columns: How many for each.

        Returns:
            float64 [B, columns] in (0, 1), on the images' device.
        """
        count = torch.arange(1, columns + 1, device=images.device)
        words = _mixed(self._hashes(images)[:, None] + count * _GOLDEN)
        uniform: Tensor = _shifted(words, 12).double() * 2.0**-52 + 2.0**-53
        return uniform

    def normals(self, images: Tensor, columns: int) -> Tensor:
        """Standard normal numbers for each image; as :meth:`uniforms`."""
        normal: Tensor = torch.special.ndtri(self.uniforms(images, columns))
        return normal

    def integers(self, images: Tensor, below: int) -> Tensor:
        """One of 0..below-1 for each image, int64 [B]."""
        return (self.uniforms(images, 1)[:, 0] * below).long()

    def _hashes(self, images: Tensor) -> Tensor:
        bytes_of_an_image = images[0].numel() if len(images) else 0
        if self._keys is None or self._keys.shape[0] != bytes_of_an_image or self._keys.device != images.device:
            words = generator("reply", self._seed, 0).random_raw(bytes_of_an_image * _COLUMNS)
            keys = (np.asarray(words, dtype=np.uint64) >> np.uint64(32)).astype(np.float64)
            self._keys = torch.from_numpy(keys.reshape(-1, _COLUMNS)).to(images.device)
        sums = [
            self._sums((part.permute(0, 2, 3, 1).flatten(1) * 255).add_(1 - _THRESHOLD).floor_())
            for part in images.split(answered_at_once(images.device))
        ]
        first, second = torch.cat(sums).unbind(1)
        return _mixed(first + _mixed(second + _GOLDEN))

    def _sums(self, pixels: Tensor) -> Tensor:
        """Bytes by keys, int64 [B, 2]; sums of different parts wrap."""
        assert self._keys is not None
        parts = zip(pixels.split(_EXACT, 1), self._keys.split(_EXACT), strict=True)
        return torch.stack([(part.double() @ keys).long() for part, keys in parts]).sum(0)


def _mixed(words: Tensor) -> Tensor:
    """int64 of any shape, each a bijection of what it was; products wrap."""
    for shift, factor in _MIX:
        words = words ^ _shifted(words, shift)
        if factor is not None:
            words = words * factor
    return words


def _shifted(words: Tensor, by: int) -> Tensor:
    """To the right, with zeros from the left, as unsigned numbers are."""
    return (words >> by) & ((1 << (64 - by)) - 1)
