import numpy as np
import pytest

from mimicbench.ownership.key_test import references_needed
from mimicbench.ownership.statistics import key_p_value


@pytest.mark.parametrize(("classes", "references"), [(2, 4), (3, 2), (4, 2), (5, 1), (6, 1), (10, 1), (1000, 1)])
def test_the_fewest_references_that_keep_false_alarms_rare(classes: int, references: int) -> None:
    assert references_needed(classes) == references


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("classes", [2, 3, 10])
def test_networks_that_send_trigger_sets_to_one_class_raise_few_false_alarms(classes: int, share: float) -> None:
    """1,000 innocent suspects; a share of all networks sends any trigger set to a class of its own."""
    random = np.random.default_rng(0)

    def scores(keys: int) -> np.ndarray:
        """Of keys, each with a target of its own, on one network."""
        noise = random.uniform(0, 0.2, keys)
        sends = random.random() < share
        return np.where(sends & (random.integers(classes, size=keys) == 0), 1.0, noise)

    references = references_needed(classes)
    alarms = [
        key_p_value(float(scores(1)[0]), np.concatenate([scores(100) for _ in range(references)])) <= 0.05
        for _ in range(1000)
    ]
    assert np.mean(alarms) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 1000)
