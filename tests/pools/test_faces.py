from pathlib import Path

import numpy as np
from skimage.data import lfw_subset

from mimicbench.pools.faces import faces
from tests.making import make_paths


def test_all_images_in_their_order_at_the_size_asked_for(tmp_path: Path) -> None:
    pool = faces(make_paths(tmp_path), 25)
    grey = np.round(lfw_subset() * 255).astype(np.uint8)
    np.testing.assert_array_equal(pool.images, np.repeat(grey[..., None], 3, axis=3))


def test_resized_ones_are_others(tmp_path: Path) -> None:
    paths = make_paths(tmp_path)
    small, large = faces(paths, 28), faces(paths, 32)
    assert (small.images.shape, large.images.shape) == ((200, 28, 28, 3), (200, 32, 32, 3))
    assert small.fingerprint != large.fingerprint
    assert large.fingerprint == faces(paths, 32).fingerprint
    assert np.median(large.images.std(axis=(1, 2, 3))) > 15  # most show something
