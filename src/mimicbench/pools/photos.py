"""The embedded pool: random crops of the photographs that scikit-image and scikit-learn ship. Needs no network."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from hashlib import blake2b
from importlib.resources import files

import numpy as np
from PIL import Image, ImageOps
from pydantic import NonNegativeInt, PositiveInt

from mimicbench.errors import UserError
from mimicbench.images import decode
from mimicbench.images.cache import load
from mimicbench.images.source import Block
from mimicbench.paths import Paths
from mimicbench.pools.pool import Pool

# Files inside the installed packages; scikit-image fetches its other pictures from the network.
_PHOTOS = {
    "skimage": [
        "data/astronaut.png",
        "data/brick.png",
        "data/camera.png",
        "data/cell.png",
        "data/chelsea.png",
        "data/clock_motion.png",
        "data/coffee.png",
        "data/coins.png",
        "data/grass.png",
        "data/gravel.png",
        "data/horse.png",  # a silhouette: of these pictures, the nearest to strokes
        "data/hubble_deep_field.jpg",
        "data/ihc.png",
        "data/moon.png",
        "data/motorcycle_left.png",
        "data/page.png",
        "data/retina.jpg",
        "data/rocket.jpg",
        "data/text.png",
    ],
    "sklearn": ["datasets/images/china.jpg", "datasets/images/flower.jpg"],
}
_LAW = "2"  # raise it when the same arguments give other crops, so that cached ones are not used
_BLOCK = 2048
_SMALLEST = 32  # pixels: smaller crops are blurs


def photos(paths: Paths, size: int, *, crops: PositiveInt, seed: NonNegativeInt) -> Pool:
    """Square crops at random places, of sides from 32 pixels to the whole photograph.

    Half of them are mirrored, and all stretched to full contrast (each colour by itself): plain crops are mostly too
    dull to bring out all classes of a mentor that knows drawings, such as digits.

    Args:
        paths: Where the cache lies.
        size: Height and width to which crops are resized, in pixels.
        crops: How many.
        seed: Decides them all.

    Returns:
        uint8 [crops, size, size, 3].

    Raises:
        UserError: The cache cannot be written, or an installed package lacks one of the photographs.
    """
    cached = load(_Crops(size, crops, seed), paths.cache_dir)
    return Pool(cached.images, cached.fingerprint)


@dataclass(frozen=True)
class _Crops:
    size: int
    crops: int
    seed: int

    @property
    def name(self) -> str:
        return "photos"

    def identity(self) -> list[str]:
        contents = [blake2b(data, digest_size=16).hexdigest() for data in self._encoded.values()]
        return ["photos", f"{_LAW} {self.size} {self.crops} {self.seed}", *contents]

    def expected(self) -> int:
        return self.crops

    def blocks(self) -> Iterator[Block]:
        pictures = [decode.read(data, name) for name, data in self._encoded.items()]
        rng = np.random.default_rng(self.seed)
        for start in range(0, self.crops, _BLOCK):
            # Of each crop: picture, side, left, top, whether mirrored.
            draws = rng.random((min(_BLOCK, self.crops - start), 5))
            yield Block(decode.decode_all(draws, partial(self._crop, pictures), self.size))

    def _crop(self, pictures: list[Image.Image], draw: np.ndarray) -> Image.Image:
        picture = pictures[int(draw[0] * len(pictures))]
        largest = min(picture.size)
        side = _SMALLEST * (largest / _SMALLEST) ** draw[1]  # every scale equally likely
        left, top = draw[2] * (picture.width - side), draw[3] * (picture.height - side)
        crop = picture.resize(
            (self.size, self.size), Image.Resampling.BICUBIC, (left, top, left + side, top + side), reducing_gap=2
        )
        if draw[4] < 0.5:
            crop = ImageOps.mirror(crop)
        return ImageOps.autocontrast(crop)

    @cached_property
    def _encoded(self) -> dict[str, bytes]:
        paths = {f"{package}/{name}": files(package) / name for package, names in _PHOTOS.items() for name in names}
        try:
            return {name: path.read_bytes() for name, path in paths.items()}
        except OSError as error:
            raise UserError(
                f"The photograph {error.filename} cannot be read ({error.strerror}); "
                "install scikit-image and scikit-learn again, or choose another pool."
            ) from None
