import numpy as np
import torch
from scipy import stats

from mimicbench.counter_rng import generator
from mimicbench.oracles.keyed import KeyedNoise
from tests.oracles.protected import some_images

_MASK = 2**64 - 1


def _mixed(word: int) -> int:
    """SplitMix64's finaliser, written out (Steele et al. 2014)."""
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & _MASK
    return word ^ (word >> 31)


def _literal(image: torch.Tensor, seed: int, columns: int) -> list[float]:
    pixels = [round(float(value) * 255) for value in image.permute(1, 2, 0).flatten()]
    keys = [int(word) >> 32 for word in generator("reply", seed, 0).random_raw(2 * len(pixels))]
    first = sum(pixel * key for pixel, key in zip(pixels, keys[::2], strict=True))
    second = sum(pixel * key for pixel, key in zip(pixels, keys[1::2], strict=True))
    golden = 0x9E3779B97F4A7C15
    state = _mixed((first + _mixed((second + golden) & _MASK)) & _MASK)
    return [(_mixed((state + k * golden) & _MASK) >> 12) * 2.0**-52 + 2.0**-53 for k in range(1, columns + 1)]


def bytes_as_floats(count: int, seed: int = 0) -> torch.Tensor:
    return (some_images(count, seed) * 255).round() / 255


def test_numbers_are_those_of_the_formula() -> None:
    images = bytes_as_floats(5)
    drawn = KeyedNoise(3).uniforms(images, 4)
    assert drawn.tolist() == [_literal(image, 3, 4) for image in images]


def test_neither_batch_nor_memory_layout_matters() -> None:
    images = bytes_as_floats(700)
    noise = KeyedNoise(0)
    whole = noise.uniforms(images, 3)
    assert torch.equal(noise.uniforms(images.contiguous(memory_format=torch.channels_last), 3), whole)
    order = torch.randperm(700)
    assert torch.equal(noise.uniforms(images[order], 3), whole[order])
    assert torch.equal(torch.cat([noise.uniforms(part, 3) for part in images.split(33)]), whole)


def test_rounding_errors_of_a_blend_make_no_other_image() -> None:
    random = np.random.default_rng(0)
    first, second = (torch.from_numpy(random.integers(0, 256, (64, 3, 32, 32))).double() for _ in range(2))
    ratio = torch.arange(64).double()[:, None, None, None] / 100  # halves of grey levels among them
    blend = ((ratio * first + (1 - ratio) * second) / 255).float()
    noise = KeyedNoise(0)
    for nudged in (torch.nextafter(blend, torch.ones(())), torch.nextafter(blend, torch.zeros(()))):
        assert torch.equal(noise.uniforms(nudged, 1), noise.uniforms(blend, 1))


def test_one_grey_level_in_one_pixel_makes_another_image() -> None:
    image = bytes_as_floats(1).expand(3072, 3, 32, 32).clone()
    flat = image.view(3072, -1)
    flat[torch.arange(3072), torch.arange(3072)] += torch.where(flat[0] < 0.5, 1.0, -1.0) / 255
    assert len(KeyedNoise(0).uniforms(image, 1).unique()) == 3072


def test_numbers_are_uniform_normal_and_independent() -> None:
    images = bytes_as_floats(5000)
    noise = KeyedNoise(1)
    uniform = noise.uniforms(images, 2)
    assert ((uniform > 0) & (uniform < 1)).all()
    for column in uniform.T:
        assert stats.kstest(column.numpy(), "uniform").pvalue > 1e-3
    for column in noise.normals(images, 2).T:
        assert stats.kstest(column.numpy(), "norm").pvalue > 1e-3
    assert abs(np.corrcoef(uniform.T.numpy())[0, 1]) < 0.05
    others = KeyedNoise(2).uniforms(images, 1)[:, 0]
    assert abs(np.corrcoef(uniform[:, 0].numpy(), others.numpy())[0, 1]) < 0.05


def test_integers_are_all_as_frequent() -> None:
    counts = torch.bincount(KeyedNoise(0).integers(bytes_as_floats(5000), 7), minlength=7)
    assert len(counts) == 7
    assert stats.chisquare(counts.numpy()).pvalue > 1e-3


def test_sums_stay_exact_for_large_bright_images() -> None:
    image = torch.ones(1, 3, 128, 128)
    assert KeyedNoise(0).uniforms(image, 2)[0].tolist() == _literal(image[0], 0, 2)
