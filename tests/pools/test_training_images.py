from pathlib import Path

import numpy as np

from mimicbench.pools.training_images import training_images
from mimicbench.tasks.digits import digits
from tests.making import make_paths


def test_it_is_the_tasks_training_images_and_no_test_image(tmp_path: Path) -> None:
    paths = make_paths(tmp_path)
    pool = training_images(paths, 32, task={"_target_": "mimicbench.tasks.digits.digits", "name": "digits", "size": 32})
    task = digits(paths, size=32)
    np.testing.assert_array_equal(pool.images, task.train.images)
    assert not {image.tobytes() for image in pool.images} & {image.tobytes() for image in task.test.images}
