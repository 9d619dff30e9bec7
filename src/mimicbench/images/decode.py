"""Encoded images (bytes or files) to RGB pixels, many at once."""

import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from mimicbench.errors import UserError
from mimicbench.hardware import cores

_Item = TypeVar("_Item")


def read(data: bytes | Path, where: str, *, refuse_with: str | None = None) -> Image.Image:
    """Decode one image, turned upright if its EXIF data says so.

    Args:
        data: The encoded image, or its file.
        where: Names the image in errors.
        refuse_with: Refuse images that are not RGB, with this advice. None: turn grey, palette and CMYK images into
            RGB, and lay transparent ones on white.

    Returns:
        An image of mode RGB.

    Raises:
        UserError: The image cannot be decoded, is refused, or has more than 8 bits a channel.
    """
    try:
        with Image.open(io.BytesIO(data) if isinstance(data, bytes) else data) as image:
            image.load()
            upright = ImageOps.exif_transpose(image) if "exif" in image.info else image
    except Exception as error:  # Pillow's plugins raise anything at all on broken files
        raise UserError(
            f"{where} cannot be decoded as an image ({_reason(error)}); replace it or take it out."
        ) from None
    if upright.mode == "RGB":
        return upright
    if upright.mode.startswith(("I", "F")):
        raise UserError(f"{where} has more than 8 bits a channel (mode {upright.mode}); save it as 8-bit RGB.")
    if refuse_with is not None:
        raise UserError(f"{where} is {_MODES.get(upright.mode, upright.mode)}, not RGB; {refuse_with}.")
    if upright.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in upright.info:
        layer = upright.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return upright.convert("RGB")


def fit(image: Image.Image, size: int) -> Image.Image:
    """The largest centred square of the image, resized to ``size`` x ``size`` (bicubic, antialiased)."""
    if image.size == (size, size):
        return image
    return ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC)


def decode_all(items: Sequence[_Item] | np.ndarray, decode: Callable[[_Item], Image.Image], size: int) -> np.ndarray:
    """Decode many images at once, in as many threads as there are cores.

    Args:
        items: What to decode.
        decode: Gives the RGB image, ``size`` x ``size``, of one item.
        size: Height and width.

    Returns:
        uint8 [n, size, size, 3].

    Raises:
        UserError: The first that ``decode`` raises.
    """
    images = np.empty((len(items), size, size, 3), dtype=np.uint8)

    def work(start: int) -> None:
        for index in range(start, min(start + _SLICE, len(items))):
            pixels = decode(items[index]).tobytes()
            images[index] = np.frombuffer(pixels, dtype=np.uint8).reshape(size, size, 3)

    with ThreadPoolExecutor(cores()) as threads:
        list(threads.map(work, range(0, len(items), _SLICE)))
    return images


_SLICE = 256  # images a thread takes at a time
_MODES = {"1": "black and white", "L": "grey", "P": "an image with a palette"}


def _reason(error: Exception) -> str:
    # Pillow names the address of a memory buffer, which tells a user nothing.
    return "unknown format" if isinstance(error, UnidentifiedImageError) else str(error) or type(error).__name__
