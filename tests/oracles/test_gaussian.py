from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import optimize, stats

from mimicbench.oracles.gaussian import on_simplex
from tests.oracles.protected import make_oracle, some_images


def test_noise_on_logits_is_normal_with_the_scale(tmp_path: Path) -> None:
    answers = torch.tensor([0.05, 0.25, 0.7]).expand(4000, 3)
    oracle = make_oracle("gaussian", tmp_path, "oracle.scale=0.5", classes=3)
    replies = oracle._reply(answers, some_images(4000)).double()
    # Differences of two log-probabilities do not depend on the normalisation.
    noise = (replies[:, 0] / replies[:, 1]).log() - (answers[:, 0] / answers[:, 1]).log()
    assert stats.kstest(noise.numpy() / (0.5 * 2**0.5), "norm").pvalue > 1e-3


def test_noise_on_probabilities_is_projected(tmp_path: Path) -> None:
    answers = torch.tensor([0.3, 0.3, 0.4]).expand(4000, 3)
    oracle = make_oracle("gaussian", tmp_path, "oracle.space=probabilities", "oracle.scale=0.01", classes=3)
    replies = oracle._reply(answers, some_images(4000))
    noise = replies - answers  # far from the border the projection only takes the mean of the noise away
    assert noise.std().item() == pytest.approx(0.01 * (2 / 3) ** 0.5, rel=0.05)


def test_the_projection_is_the_nearest_point_of_the_simplex() -> None:
    random = np.random.default_rng(0)
    for point in random.normal(0, 1, (20, 4)):
        found = on_simplex(torch.from_numpy(point)[None])[0].numpy()
        assert found == pytest.approx(_nearest(point), abs=1e-5)


def _nearest(point: np.ndarray) -> np.ndarray:
    """By a general solver."""
    whole = {"type": "eq", "fun": lambda x: x.sum() - 1}
    start, bounds = np.full(len(point), 1 / len(point)), [(0, 1)] * len(point)
    return optimize.minimize(lambda x: ((x - point) ** 2).sum(), start, bounds=bounds, constraints=whole, tol=1e-12).x
