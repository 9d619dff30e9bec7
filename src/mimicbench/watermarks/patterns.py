"""Patterns that are put on images; all uint8, and scaled with the images from 32×32."""

import numpy as np


def scaled(pixels: int, size: int) -> int:
    """A length on images of ``size`` × ``size`` that is ``pixels`` on such of 32×32."""
    return max(1, round(pixels * size / 32))


def tiles(random: np.random.Generator, rows: int, columns: int, height: int, width: int) -> np.ndarray:
    """A field of black and white tiles, half of each: uint8 [height, width, 1].

    Args:
        random: Decides which is which.
        rows: Tiles from top to bottom.
        columns: Tiles from left to right.
        height: In pixels.
        width: In pixels.
    """
    white = random.permutation(np.arange(rows * columns) % 2).reshape(rows, columns).astype(np.uint8) * 255
    down, across = np.arange(height) * rows // height, np.arange(width) * columns // width
    return white[np.ix_(down, across)][..., None]


def stamped(images: np.ndarray, patch: np.ndarray, top: int, left: int) -> np.ndarray:
    """Images, uint8 [n, H, W, C], with a patch, uint8 [h, w, 1 or C], in their place."""
    marked = images.copy()
    marked[:, top : top + patch.shape[0], left : left + patch.shape[1]] = patch
    return marked


def added(images: np.ndarray, pattern: np.ndarray) -> np.ndarray:
    """Images, uint8 [n, H, W, C], plus a pattern, float [H, W, C] in grey levels, cut off at black and white."""
    marked: np.ndarray = np.clip(np.rint(images + pattern), 0, 255).astype(np.uint8)
    return marked


def blended(images: np.ndarray, pattern: np.ndarray, share: float) -> np.ndarray:
    """``(1 - share) images + share pattern``, uint8 [n, H, W, C], with a pattern, uint8 [H, W, C]."""
    return np.rint((1 - share) * images + share * pattern.astype(np.float32)).astype(np.uint8)


def smooth_noise(random: np.random.Generator, size: int, cells: int) -> np.ndarray:
    """Blurred colours, uint8 [size, size, 3]: random at the corners of ``cells`` × ``cells`` squares."""
    coarse = random.integers(0, 256, (cells + 1, cells + 1, 3)).astype(np.float64)
    place = (np.arange(size) + 0.5) * cells / size
    before = place.astype(np.int64)
    part = place - before
    rows = coarse[before] * (1 - part)[:, None, None] + coarse[before + 1] * part[:, None, None]
    both = rows[:, before] * (1 - part)[None, :, None] + rows[:, before + 1] * part[None, :, None]
    return np.rint(both).astype(np.uint8)
