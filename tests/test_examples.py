from pathlib import Path

import numpy as np
import pytest
import torch

from mimicbench.examples import FILE, Examples
from tests.standins import SpyMentor, attached, make_composite, make_pool, make_standard


def composites(folder: Path, images: int = 2) -> tuple[Examples, torch.Tensor]:
    """Those of an attack, and what it trains on."""
    mentor = SpyMentor()
    attack = attached(make_composite(make_pool(30), images=images, samples_per_epoch=40), folder / "replies.npy")
    trained_on, _ = attack.chunk(0, 0, 40)
    examples = Examples.of(attack, mentor)
    assert examples is not None
    assert attack.oracle.asked == 40  # looking is no query
    return examples, trained_on


@pytest.mark.parametrize("images", [2, 3])
def test_composites_are_those_that_are_trained_on_with_what_they_are_made_of(images: int, tmp_path: Path) -> None:
    examples, trained_on = composites(tmp_path, images)
    count = len(examples.images)
    assert count == 24
    shown = examples.images.transpose(0, 3, 1, 2) / 255
    np.testing.assert_allclose(shown, trained_on[:count], atol=0.5 / 255 + 1e-6)
    assert examples.sources.shape == (count, images, 4, 4, 3)
    blended = np.einsum("mn,mnhwc->mhwc", examples.weights, examples.sources.astype(np.float64))
    np.testing.assert_allclose(examples.images, blended, atol=0.51)
    np.testing.assert_allclose(examples.weights.sum(1), 1, atol=1e-6)


def test_the_mentor_answers_images_and_sources_and_blending_mixes_the_latter(tmp_path: Path) -> None:
    examples, trained_on = composites(tmp_path)
    np.testing.assert_allclose(examples.mentor, SpyMentor()(trained_on[:24]), atol=1e-5)
    for number in range(24):
        sources = torch.tensor(examples.sources[number].transpose(0, 3, 1, 2) / 255, dtype=torch.float32)
        answers = SpyMentor()(sources).numpy()
        np.testing.assert_allclose(examples.mentor_of_sources[number], answers, atol=1e-5)
        mixed = examples.weights[number] @ answers
        np.testing.assert_allclose(examples.blended[number], mixed, atol=1e-5)


def test_images_of_standard_mimicking_are_whole(tmp_path: Path) -> None:
    attack = attached(make_standard(make_pool(30)), tmp_path / "replies.npy")
    examples = Examples.of(attack, SpyMentor())
    assert examples is not None
    assert examples.sources.shape == (24, 1, 4, 4, 3)
    np.testing.assert_array_equal(examples.images, examples.sources[:, 0])
    images, _ = attack.chunk(0, 0, 24)
    np.testing.assert_allclose(examples.images.transpose(0, 3, 1, 2) / 255, images, atol=1e-6)


def test_an_attack_that_cannot_tell_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attack = attached(make_composite(make_pool(30)), tmp_path / "replies.npy")
    monkeypatch.setattr(attack, "examples", lambda _: None)
    assert Examples.of(attack, SpyMentor()) is None


def test_they_are_read_as_they_were_saved(tmp_path: Path) -> None:
    examples, _ = composites(tmp_path)
    examples.save(tmp_path)
    again = Examples.read(tmp_path)
    assert again is not None
    assert again.classes == examples.classes
    for name in ("images", "sources", "weights", "mentor", "mentor_of_sources"):
        np.testing.assert_array_equal(getattr(again, name), getattr(examples, name))
    (tmp_path / FILE).write_bytes(b"PK\x03\x04 cut off")
    assert Examples.read(tmp_path) is None
