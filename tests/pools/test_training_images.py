from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf

from mimicbench.pools import Pool
from mimicbench.pools.training_images import training_images
from mimicbench.tasks.digits import digits
from mimicbench.watermarks.content import Content
from tests.making import make_paths

CONF = Path(__file__).parents[2] / "conf"
TASK = {"_target_": "mimicbench.tasks.digits.digits", "name": "digits", "size": 32}
CONTENT = {"name": "content", "threshold": 0.5, "count": 20, "times": 3}
UNMARKED = {"_target_": "mimicbench.watermarks.none.none", "name": "none"}
WEIGHTS = {"_target_": "mimicbench.watermarks.uchida.Uchida", "name": "uchida", "key": 0, "threshold": None}
WEIGHTS |= {"bits": 256, "layer": None, "weight": 0.01}
TUNED: Any = OmegaConf.to_container(OmegaConf.load(CONF / "watermark" / "frontier_stitching.yaml"))


def made(folder: Path, watermark: dict[str, Any] | None) -> Pool:
    return training_images(make_paths(folder), 32, task=TASK, watermark=watermark)


@pytest.mark.parametrize("watermark", [None, UNMARKED, WEIGHTS, TUNED])
def test_it_is_the_tasks_training_images_and_no_test_image(watermark: dict[str, Any] | None, tmp_path: Path) -> None:
    pool, task = made(tmp_path, watermark), digits(make_paths(tmp_path), size=32)
    np.testing.assert_array_equal(pool.images, task.train.images)
    assert not {image.tobytes() for image in pool.images} & {image.tobytes() for image in task.test.images}


def test_what_a_mark_adds_comes_once_behind_them(tmp_path: Path) -> None:
    one, other = (
        made(tmp_path, CONTENT | {"_target_": "mimicbench.watermarks.content.Content", "key": key}) for key in (0, 1)
    )
    task = digits(make_paths(tmp_path), size=32)
    np.testing.assert_array_equal(one.images[: len(task.train.images)], task.train.images)
    triggers = Content(task, make_paths(tmp_path), key=0, **CONTENT).triggers
    np.testing.assert_array_equal(one.images[len(task.train.images) :], triggers.images)
    assert len({one.fingerprint, other.fingerprint, made(tmp_path, None).fingerprint}) == 3
