from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mimicbench.ownership.scoring import _is_distilled, scores
from tests.ownership.stand_ins import Scored


def test_keys_are_rows_and_suspects_columns() -> None:
    suspects: list[Any] = [{7: 0.1, 8: 0.2}, {7: 0.3, 8: 0.4}, {7: 0.5, 8: 0.6}]
    assert scores([Scored(7), Scored(8)], suspects) == [[0.1, 0.3, 0.5], [0.2, 0.4, 0.6]]


@pytest.mark.parametrize(
    ("pool", "oracle", "images", "distilled"),
    [
        ({"name": "training_images", "watermark": {"key": 1}}, "softmax", np.zeros(1), True),
        ({"name": "training_images", "watermark": {"key": 1}}, "softmax", None, False),  # a mark that adds none
        ({"name": "training_images", "watermark": {"key": 2}}, "softmax", np.zeros(1), False),
        ({"name": "training_images", "watermark": None}, "softmax", np.zeros(1), False),
        ({"name": "training_images", "watermark": {"key": 1}}, "label", np.zeros(1), False),
        ({"name": "photos"}, "softmax", np.zeros(1), False),
    ],
)
def test_a_student_is_distilled_that_had_all_of_it_before_it(
    pool: dict[str, Any], oracle: str, images: np.ndarray | None, distilled: bool
) -> None:
    config = SimpleNamespace(pool=pool, watermark={"key": 1}, oracle={"name": oracle})
    job: Any = SimpleNamespace(owned=SimpleNamespace(config=config, watermark=SimpleNamespace(images=images)))
    assert _is_distilled(job) == distilled
