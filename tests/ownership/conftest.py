from pathlib import Path

import numpy as np
import pytest

from mimicbench.paths import Paths
from mimicbench.tasks import Task
from mimicbench.tasks.task import LabelledImages
from tests.test_run import started

EASY = "task._target_=tests.ownership.conftest.stripes"
MARKED = (
    *(EASY, "watermark=content", "watermark.count=20", "watermark.times=3"),
    *(
        "mentor.max_epochs=8",
        "mentor.recipe.batch_size=16",
        "mentor.recipe.learning_rate=0.02",
        "mentor.augment=null",
        "trainer.max_epochs=1",
    ),
)


def stripes(paths: Paths, *, size: int) -> Task:
    """Ten classes that even a small network tells apart within seconds: where a bright stripe lies on noise."""
    random = np.random.default_rng(0)

    def split(per_class: int) -> LabelledImages:
        labels = random.permutation(np.repeat(np.arange(10), per_class)).astype(np.int64)
        images = random.integers(0, 100, (len(labels), size, size, 3), dtype=np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[3 * label + 1 : 3 * label + 4] += 150
        return LabelledImages(images, labels)

    return Task(tuple(map(str, range(10))), split(30), split(10), "stripes")


@pytest.fixture(scope="session")
def marked(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four finished jobs, 0 to 3, each with a mentor that a key of its own marks; their students learn little."""
    sweep = tmp_path_factory.mktemp("marked")
    for key in range(4):
        seeds = (f"watermark.key={key}", f"mentor.seed={key}", f"seed={key}")
        started(cache, sweep / str(key), *MARKED, *seeds)
    return sweep
