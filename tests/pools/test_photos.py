import socket
from pathlib import Path

import numpy as np
import pytest

from mimicbench.errors import UserError
from mimicbench.pools import photos as module
from mimicbench.pools.photos import photos
from tests.making import make_paths


def test_deterministic_in_the_seed_and_different_between_seeds(tmp_path: Path) -> None:
    first = photos(make_paths(tmp_path), 32, crops=500, seed=0)
    (tmp_path / "again").mkdir()
    again = photos(make_paths(tmp_path / "again"), 32, crops=500, seed=0)
    other = photos(make_paths(tmp_path), 32, crops=500, seed=1)
    np.testing.assert_array_equal(first.images, again.images)
    assert first.fingerprint == again.fingerprint
    assert first.fingerprint != other.fingerprint
    assert (first.images != other.images).mean() > 0.9


def test_shape_and_variety(tmp_path: Path) -> None:
    pool = photos(make_paths(tmp_path), 40, crops=500, seed=0)
    assert pool.images.shape == (500, 40, 40, 3)
    assert pool.images.dtype == np.uint8
    assert len({image.tobytes() for image in pool.images}) > 480  # some are plain white, of page or horse
    assert np.median(pool.images.std(axis=(1, 2, 3))) > 15  # most crops show something


def test_needs_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert len(photos(make_paths(tmp_path), 32, crops=10, seed=0)) == 10


def test_a_photograph_that_the_package_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PHOTOS", {"skimage": ["data/gone.png"]})
    with pytest.raises(UserError, match=r"gone\.png cannot be read .*install scikit-image"):
        photos(make_paths(tmp_path), 32, crops=10, seed=0)
