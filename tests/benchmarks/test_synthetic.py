from pathlib import Path

import numpy as np
import pytest
import torch

from mimicbench.benchmarks import synthetic
from mimicbench.errors import UserError
from mimicbench.job import assemble
from tests.making import make_paths

SMALL = ["student.width=0.05", "attack.chunk_size=256", "attack.samples_per_epoch=512", "trainer.max_epochs=1"]


def test_a_random_pool_is_decoded_once_and_mapped(tmp_path: Path) -> None:
    paths = make_paths(tmp_path)
    pool = synthetic.pool(paths, 32, images=12_345, seed=0)
    assert pool.images.shape == (12_345, 32, 32, 3)
    assert isinstance(pool.images, np.memmap)
    assert pool.images.mean() == pytest.approx(127.5, abs=0.5)
    assert np.array_equal(synthetic.pool(paths, 32, images=12_345, seed=0).images, pool.images)
    assert len(list(paths.cache_dir.rglob("*.npy"))) == 1


def test_the_job_is_that_of_the_papers_setting_on_random_images(tmp_path: Path) -> None:
    config = synthetic.configuration(tmp_path, SMALL, pool_images=1000)
    job = assemble(config)
    assert (config.attack["name"], config.oracle["name"], config.student["name"]) == ("composite", "label", "vgg16")
    assert len(job.attack.pool) == 1000
    images, replies = job.attack.chunk(0, 0, 256)
    assert job.oracle.asked == len(images) == len(replies) == 256


def test_an_instant_answer_leaves_the_generation(tmp_path: Path) -> None:
    config = synthetic.configuration(tmp_path, SMALL, pool_images=1000)
    attack = synthetic.instantly_answered(config)
    images, replies = attack.chunk(0, 100, 200)
    assert torch.equal(images, assemble(config).attack.chunk(0, 100, 200)[0])
    assert replies.shape == (100, 10)


def test_a_misspelt_override_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"attack\.chunk_size=0 is refused"):
        synthetic.configuration(tmp_path, ["attack.chunk_size=0"])


def test_a_job_that_shared_its_cores_says_so(tmp_path: Path) -> None:
    job = assemble(synthetic.configuration(tmp_path, SMALL, pool_images=1000))
    assert job.device == job.hardware.name
    job.sharing.shared = True
    assert job.device == f"{job.hardware.name}, at times shared with other jobs"
