from typing import Any

import numpy as np
import pytest

from mimicbench.ownership.finding import Finding
from mimicbench.ownership.key_test import key_test, references_needed
from mimicbench.ownership.statistics import key_p_value
from mimicbench.watermarks.frontier_stitching import FrontierStitching
from tests.ownership.stand_ins import Owner, Scored


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


def tried(suspect: dict[Any, float], owner: Owner | None = None, keys: int = 99) -> Finding:
    return key_test(owner or Owner(), Scored(0), suspect, keys)  # type: ignore[arg-type]


def test_a_suspect_that_shows_the_key_is_detected_and_one_that_does_not_is_not() -> None:
    carrier, innocent = tried({0: 0.9, "others": 0.05}), tried({0: 0.05, "others": 0.05})
    assert carrier.word == "detected"
    assert carrier.p_value == 1 / 101
    assert innocent.word == "not detected"
    assert innocent.p_value == 1.0


def test_a_copy_that_answers_to_other_keys_too_is_detected() -> None:
    assert tried({0: 1.0, "others": 1.0}).word == "detected"


def test_what_is_below_the_owners_threshold_is_not_detected_whatever_its_rank() -> None:
    found = tried({0: 0.49, "others": 0.05})
    assert found.p_value == 1 / 101
    assert found.word == "not detected"


def test_too_few_keys_detect_nothing() -> None:
    assert tried({0: 1.0}, keys=18).word == "detected"  # 1 / 20
    few = tried({0: 1.0}, keys=17)
    assert (
        few.sentence
        == "inconclusive (gate failed: there should be 19 scores or more to compare with: 18 are too few (--keys))"
    )


@pytest.mark.parametrize(
    ("owner", "suspect", "failed"),
    [
        (Owner(mentor={0: 0.89}), {0: 1.0}, "the mark should have taken: the mentor shows 89.0%"),
        (Owner(recorded={"took": False, "accuracy_lost": 0.03}), {0: 1.0}, "lost 3.0 points of accuracy to it"),
        (Owner(), {0: 1.0, "accuracy": 0.93}, "6.0 points below)"),
        (
            Owner(copy={0: 0.4, "others": 0.05}),
            {0: 1.0},
            "a fine-tuned copy of the mentor should be detected: it shows 40.0%",
        ),
        (Owner(unmarked_scores={"others": 1.0}), {0: 1.0}, "a fine-tuned copy of the mentor should be detected"),
    ],
)
def test_a_failed_gate_leaves_it_open(owner: Owner, suspect: dict[Any, float], failed: str) -> None:
    found = tried(suspect, owner)
    assert found.word == "inconclusive"
    assert failed in found.sentence
    assert [gate.passed for gate in found.gates].count(False) == 1


def test_triggers_that_are_made_with_the_mentor_have_no_null() -> None:
    tuned = FrontierStitching.__new__(FrontierStitching)
    found = tried({0: 0.9}, Owner(watermark=tuned))
    assert found.word == "undefined"
    assert found.p_value is None
    assert found.statistic == 0.9


def test_weights_of_another_shape_are_undefined() -> None:
    assert tried({0: None, "others": 0.5}).word == "undefined"  # type: ignore[dict-item]
