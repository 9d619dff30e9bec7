import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats

from mimicbench.augmentation import Augmentation
from mimicbench.counter_rng import uniforms
from tests.making import pictures


def floats(count: int, size: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(pictures(count, size, seed)).permute(0, 3, 1, 2) / 255


def moved(image: np.ndarray, right: int, down: int, mirror: bool) -> np.ndarray:
    """Shift and flip by padding, cutting and reversing: ``image`` is [C, H, W]."""
    size, most = image.shape[1], max(abs(right), abs(down))
    padded = np.pad(image, ((0, 0), (most, most), (most, most)), mode="symmetric")
    cut = padded[:, most - down : most - down + size, most - right : most - right + size]
    return cut[:, :, ::-1] if mirror else cut


def mirrored(place: float, size: int) -> float:
    """Where a coordinate (pixel centres at 0, 1, …) beyond the border comes from."""
    while not -0.5 <= place <= size - 0.5:
        place = -1 - place if place < -0.5 else 2 * size - 1 - place
    return place


def cubic(distance: float) -> float:
    """Keys's cubic convolution, with a = -3/4."""
    x, a = abs(distance), -0.75
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0


def slowly(image: np.ndarray, draws: np.ndarray, augment: Augmentation) -> np.ndarray:
    """One image [C, H, W], pixel by pixel, from the four numbers drawn for it."""
    size = image.shape[1]
    dx, dy = (math.floor(u * (2 * augment.shift + 1)) - augment.shift for u in draws[:2])
    angle = math.radians(augment.rotate) * (2 * draws[2] - 1)
    mirror = -1 if augment.flip and draws[3] < 0.5 else 1
    out = np.zeros(image.shape)
    middle = (size - 1) / 2
    for y in range(size):
        for x in range(size):
            right, down = mirror * (x - middle), y - middle
            from_x = math.cos(angle) * right - math.sin(angle) * down + middle + dx
            from_y = math.sin(angle) * right + math.cos(angle) * down + middle + dy
            left, top = math.floor(from_x), math.floor(from_y)
            for j in range(top - 1, top + 3):
                for i in range(left - 1, left + 3):
                    share = cubic(from_x - i) * cubic(from_y - j)
                    out[:, y, x] += share * image[:, int(mirrored(j, size)), int(mirrored(i, size))]
    return out.clip(0, 1)


def test_shifts_and_flips_are_exact_and_equally_likely() -> None:
    image = pictures(1, 6)[0].transpose(2, 0, 1).astype(np.float32) / 255
    outcomes = {
        moved(image, right, down, mirror).tobytes(): (right, down, mirror)
        for right in range(-2, 3)
        for down in range(-2, 3)
        for mirror in (False, True)
    }
    assert len(outcomes) == 50
    augmented = Augmentation(shift=2, rotate=0, flip=True)(
        torch.from_numpy(image).expand(5000, -1, -1, -1), 0, 0, np.arange(5000)
    )
    seen = Counter(outcomes[changed.contiguous().numpy().tobytes()] for changed in augmented)
    assert stats.chisquare([seen[outcome] for outcome in outcomes.values()]).pvalue > 1e-3


def test_without_flip_none_is_mirrored_and_without_anything_none_is_changed() -> None:
    images = floats(50, 6)
    assert torch.equal(Augmentation(shift=0, rotate=0, flip=False)(images, 0, 0, np.arange(len(images))), images)
    flipped = Augmentation(shift=0, rotate=0, flip=True)(images, 0, 0, np.arange(len(images)))
    mirrored_ones = [torch.equal(after, before.flip(2)) for after, before in zip(flipped, images, strict=True)]
    same = [torch.equal(after, before) for after, before in zip(flipped, images, strict=True)]
    assert 15 < sum(mirrored_ones) < 35
    assert sum(mirrored_ones) + sum(same) == 50


@given(shift=st.integers(0, 4), rotate=st.floats(1, 180), flip=st.booleans(), seed=st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_rotation_is_cubic_convolution_pixel_by_pixel(shift: int, rotate: float, flip: bool, seed: int) -> None:
    augment = Augmentation(shift=shift, rotate=rotate, flip=flip)
    images = floats(2, 7, seed)
    draws = uniforms("augmentation", seed, 4, 10, 12, 4)
    expected = np.stack([slowly(image.numpy(), row, augment) for image, row in zip(images, draws, strict=True)])
    np.testing.assert_allclose(augment(images, seed, 4, np.arange(10, 12)), expected, atol=2e-4)


def test_rotations_are_those_of_scipy_and_equally_likely() -> None:
    smooth = ndimage.gaussian_filter(pictures(1, 32)[0] / 255.0, (3, 3, 0))
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    images = torch.from_numpy(smooth.transpose(2, 0, 1)).float().expand(200, -1, -1, -1)
    augmented = (
        Augmentation(shift=0, rotate=15, flip=False)(images, 0, 0, np.arange(len(images))).permute(0, 2, 3, 1).numpy()
    )
    angles = np.linspace(-15, 15, 61)
    candidates = np.stack([ndimage.rotate(smooth, angle, reshape=False, order=3, mode="reflect") for angle in angles])
    inside = np.s_[:, 6:-6, 6:-6]
    errors = np.abs(candidates[inside][None] - augmented[inside][:, None]).mean((2, 3, 4))
    assert errors.min(1).max() < 0.01
    assert stats.kstest(angles[errors.argmin(1)], "uniform", (-15, 30)).pvalue > 1e-3


def test_values_stay_in_0_to_1() -> None:
    extremes = (floats(100, 8) > 0.5).float()
    changed = Augmentation(shift=2, rotate=15, flip=True)(extremes, 0, 0, np.arange(len(extremes)))
    assert changed.min() >= 0
    assert changed.max() <= 1


@pytest.mark.parametrize("size", [1, 7, 64])
@pytest.mark.parametrize("rotate", [0, 15])
def test_what_happens_depends_on_seed_epoch_and_place_alone(size: int, rotate: float) -> None:
    augment = Augmentation(shift=2, rotate=rotate, flip=True)
    images = floats(100, 8)
    places = np.arange(1000, 1100)
    whole = augment(images, 3, 2, places)
    parts = [augment(images[start : start + size], 3, 2, places[start : start + size]) for start in range(0, 100, size)]
    torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=1e-6)
    torch.testing.assert_close(augment(images[1::3], 3, 2, places[1::3]), whole[1::3], rtol=0, atol=1e-6)
    for other in (augment(images, 4, 2, places), augment(images, 3, 1, places), augment(images, 3, 2, places + 1)):
        assert (other != whole).flatten(1).any(1).float().mean() > 0.9


def test_the_images_given_are_not_changed() -> None:
    images = floats(10, 8)
    kept = images.clone()
    Augmentation(shift=2, rotate=15, flip=True)(images, 0, 0, np.arange(len(images)))
    Augmentation(shift=0, rotate=0, flip=False)(images, 0, 0, np.arange(len(images)))
    assert torch.equal(images, kept)
