import numpy as np
import pytest

from mimicbench.ownership.verdict import Gate, close, each_close, judged

PASSED = [Gate("the mark took", True)]


def quiet(count: int, own: float = 0.1, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 0.01, (count, count))
    return np.clip(0.1 + noise + (own - 0.1) * np.eye(count), 0, 1)


def test_a_mark_that_is_carried_is_detected() -> None:
    found = judged(quiet(20, own=0.9), 0.5, PASSED)
    assert found.word == found.sentence == "detected"
    assert found.p_value < 0.001
    assert found.carriers == 20


def test_absence_needs_a_bound_below_the_margin_and_no_student_over_the_threshold() -> None:
    found = judged(quiet(20), 0.5, PASSED)
    assert found.word == "absent"
    assert found.sentence == "absent (non-inferiority, δ = 5 points)"
    assert found.most_carriers == pytest.approx(0.139, abs=5e-4)
    assert judged(quiet(20), 0.05, PASSED).word == "not detected"
    assert judged(quiet(20), 0.5, PASSED, margin=0.0).word == "not detected"


@pytest.mark.parametrize("count", [4, 5, 10, 19])
def test_fewer_than_twenty_keys_can_show_no_absence(count: int) -> None:
    assert judged(quiet(count), 0.5, PASSED).sentence == f"{count} keys: not detected"
    assert judged(np.zeros((count, count)), 0.5, PASSED).word == "not detected"
    assert judged(np.zeros((20, 20)), 0.5, PASSED).word == "absent"


def test_a_mark_that_one_student_in_seven_carries_is_rarely_called_absent() -> None:
    """A share above the largest that no carrier among 20 is compatible with: 13.9 %."""
    random, absent = np.random.default_rng(0), 0
    for _ in range(300):
        carried = np.diag(0.9 * (random.random(20) < 0.14))
        absent += judged(np.clip(random.normal(0.05, 0.02, (20, 20)) + carried, 0, 1), 0.5, PASSED).word == "absent"
    assert 0 < absent <= 300 * 0.05 + 3 * np.sqrt(300 * 0.05 * 0.95)


def test_a_poor_student_is_no_obstacle_to_detection_but_to_absence() -> None:
    poor = [each_close([0.99] * 20, [0.97] * 19 + [0.6])]
    assert poor[0].name == "no student should be more than 5 points below its mentor: 1 of 20 are"
    assert judged(quiet(20, own=0.9), 0.5, PASSED, poor).word == "detected"
    assert judged(quiet(20), 0.5, PASSED, poor).sentence == "20 keys: not detected"
    assert judged(quiet(20), 0.5, PASSED, [each_close([0.99] * 20, [0.95] * 20)]).word == "absent"


def test_five_points_are_not_more_than_five() -> None:
    """Of all accuracies on 1,000 images: differences of such numbers are rounded both ways."""
    mentors = np.arange(51, 1001) / 1000
    assert all(close([one], [round(one - 0.05, 3)]).passed for one in mentors)
    assert not any(close([one], [round(one - 0.051, 3)]).passed for one in mentors)
    assert each_close(mentors, (mentors - 0.05).round(3)).passed


def test_few_or_scattered_scores_are_not_detected_and_no_more() -> None:
    scattered = np.random.default_rng(1).random((5, 5))
    assert judged(scattered, 2.0, PASSED).sentence == "5 keys: not detected"
    assert judged(quiet(2), 0.5, PASSED).word == "not detected"
    assert judged(quiet(2), 0.5, PASSED).bound.upper == 1.0  # two keys bound nothing


@pytest.mark.parametrize(
    ("mentors", "students", "passed", "told"),
    [
        ([0.9], [0.86], True, "the student should be at most 5 points below the mentor: 4.0 points below"),
        ([0.9], [0.84], False, "the student should be at most 5 points below the mentor: 6.0 points below"),
        ([0.9], [0.92], True, "the student should be at most 5 points below the mentor: 2.0 points above"),
        (
            [0.9, 0.9],
            [0.92, 0.84],
            True,
            "students should be at most 5 points below the mentor: 2.0 points below on average, 6",
        ),
        ([0.9, 1.0], [0.84, 0.94], False, "6.0 points below on average, 6.0 points below at worst"),
    ],
)
def test_students_must_be_close_on_average(
    mentors: list[float], students: list[float], passed: bool, told: str
) -> None:
    gate = close(mentors, students)
    assert gate.passed == passed
    assert told in gate.name


def test_a_failed_gate_leaves_everything_open() -> None:
    gates = [Gate("the mark took", True), Gate("the positive control is detected", False)]
    found = judged(quiet(20, own=0.9), 0.5, gates)
    assert found.word == "inconclusive"
    assert found.sentence == "inconclusive (gate failed: the positive control is detected)"
