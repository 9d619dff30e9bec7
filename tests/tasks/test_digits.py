from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from mimicbench.tasks.digits import digits
from tests.making import make_paths


def test_split_is_stratified_disjoint_and_complete(tmp_path: Path) -> None:
    task = digits(make_paths(tmp_path), size=32)
    assert (len(task.train.images), len(task.test.images)) == (1352, 445)
    in_train, in_test = np.bincount(task.train.labels), np.bincount(task.test.labels)
    np.testing.assert_array_equal(in_train + in_test, np.bincount(load_digits().target))
    np.testing.assert_allclose(in_test / (in_train + in_test), 0.25, atol=0.01)
    train, test = ({image.tobytes() for image in part.images} for part in (task.train, task.test))
    assert not train & test


def test_images(tmp_path: Path) -> None:
    task = digits(make_paths(tmp_path), size=48)
    assert task.size == 48
    assert task.classes == tuple("0123456789")
    for part in (task.train, task.test):
        assert part.images.dtype == np.uint8
        assert part.labels.dtype == np.int64
        assert (part.images[..., 0] == part.images[..., 1]).all()
        assert (part.images[..., 0] == part.images[..., 2]).all()
        assert part.images.min() == 0
        assert part.images.max() == 255
    # Shrunk again, the enlarged digit is the original.
    small = task.train.images[0, ..., 0].reshape(8, 6, 8, 6).mean(axis=(1, 3)) * 16 / 255
    assert np.abs(small - load_digits().images[0]).mean() < 1


def test_fingerprint(tmp_path: Path) -> None:
    paths = make_paths(tmp_path)
    assert digits(paths, size=32).fingerprint == digits(paths, size=32).fingerprint
    assert digits(paths, size=32).fingerprint != digits(paths, size=33).fingerprint
