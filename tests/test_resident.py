from pathlib import Path

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from mimicbench.resident import ResidentImages
from tests.making import pictures
from tests.standins import CPU

IMAGES = pictures(9, 4)


def test_take_gives_floats_in_0_to_1_channels_first() -> None:
    index = torch.tensor([8, 0, 0, 3])
    taken = ResidentImages(IMAGES, CPU).take(index)
    expected = np.stack([IMAGES[i].transpose(2, 0, 1) for i in index]).astype(np.float32) / 255
    assert taken.dtype == torch.float32
    np.testing.assert_allclose(taken, expected, atol=1e-7)
    assert taken.is_contiguous(memory_format=torch.channels_last)


@given(
    index=st.lists(st.integers(0, 8), min_size=2, max_size=5),
    parts=st.lists(st.floats(0, 1), min_size=5, max_size=5),
)
def test_blend_is_the_weighted_sum(index: list[int], parts: list[float]) -> None:
    weight = np.array(parts[: len(index)]) + 1e-3
    weight /= weight.sum()
    blended = ResidentImages(IMAGES, CPU).blend(torch.tensor([index]), torch.tensor(weight[None], dtype=torch.float32))
    expected = sum(w * IMAGES[i].astype(np.float64) / 255 for w, i in zip(weight, index, strict=True))
    np.testing.assert_allclose(blended[0], expected.transpose(2, 0, 1), atol=1e-6)


def test_blends_stay_in_0_to_1_but_for_rounding() -> None:
    extremes = ResidentImages(np.stack([np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 255, np.uint8)]), CPU)
    p = torch.arange(100) / 100
    for index in ([0, 0], [1, 1], [0, 1]):
        blended = extremes.blend(torch.tensor([index] * 100), torch.stack([p, 1 - p], 1))
        assert blended.min() >= 0
        assert blended.max() <= 1 + 2**-22


def test_the_images_are_neither_copied_nor_changed_on_the_cpu(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", IMAGES)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    resident = ResidentImages(mapped, CPU)
    assert resident._pixels.data_ptr() == mapped.ctypes.data
    resident.take(torch.arange(9)).zero_()
    resident.blend(torch.zeros(3, 2, dtype=torch.int64), torch.full((3, 2), 0.5)).zero_()
    np.testing.assert_array_equal(mapped, IMAGES)
