from dataclasses import replace
from pathlib import Path

import numpy as np

from mimicbench.ownership import matrix
from mimicbench.ownership.matrix import Matrix


def make_matrix(count: int = 6, own: float = 0.1, copies: float = 0.95, **changes: object) -> Matrix:
    """Scores around 0.1 with another diagonal, of students and of fine-tuned copies."""
    random = np.random.default_rng(0)

    def scores(diagonal: float) -> list[list[float]]:
        values = 0.1 + random.uniform(-0.02, 0.02, (count, count)) + (diagonal - 0.1) * np.eye(count)
        return values.clip(0, 1).tolist()

    made = Matrix(
        scheme="content",
        arm="Composite, label",
        keys=list(range(count)),
        size=100,
        threshold=0.5,
        scores=scores(own),
        mentor_scores=[1.0] * count,
        took=[True] * count,
        mentor_accuracies=[0.99] * count,
        student_accuracies=[0.97] * count,
        control_scores=scores(copies),
        distilled_scores=None,
    )
    return replace(made, **changes)


def word(one: Matrix) -> str:
    assert one.verdict is not None
    return one.verdict.word


def test_a_matrix_comes_back_from_its_file(tmp_path: Path) -> None:
    made = [make_matrix(), make_matrix(own=0.9, arm="Standard, softmax", distilled_scores=make_matrix().scores)]
    matrix.write(made, tmp_path)
    assert matrix.read(tmp_path) == made


def test_no_file_or_another_programs_holds_none(tmp_path: Path) -> None:
    assert matrix.read(tmp_path) == []
    for content in ('[{"scheme": "content"}]', '{"a": 1}', "no json"):
        (tmp_path / matrix.FILE).write_text(content)
        assert matrix.read(tmp_path) == []


def test_a_mark_on_the_diagonal_is_detected_and_one_that_is_not_there_is_not() -> None:
    assert word(make_matrix(own=0.9)) == "detected"
    assert word(make_matrix(count=20)) == "absent"


def test_each_gate_can_fail() -> None:
    for failing, name in (
        (make_matrix(took=[True] * 5 + [False]), "it did not in 1"),
        (make_matrix(student_accuracies=[0.98] * 5 + [0.6]), "7.3 points below on average, 39.0 points below at worst"),
        (make_matrix(copies=0.1), "fine-tuned copies"),
        (make_matrix(distilled_scores=make_matrix().scores), "students of all that the mentors were trained on should"),
        (make_matrix(distilled_scores=[[None] * 6] * 6), "the test is not defined on them"),
    ):
        assert [gate.passed for gate in failing.gates].count(False) == 1
        assert failing.verdict is not None
        assert failing.verdict.word == "inconclusive"
        assert name in failing.verdict.sentence


def test_students_of_the_mentors_images_that_show_the_mark_open_the_gate() -> None:
    assert word(make_matrix(own=0.9, distilled_scores=make_matrix(own=0.8).scores)) == "detected"


def test_a_poor_student_forbids_absence_and_nothing_else() -> None:
    accuracies = [0.97] * 19 + [0.9]
    assert word(make_matrix(count=20, student_accuracies=accuracies)) == "not detected"
    assert word(make_matrix(count=20, student_accuracies=accuracies, own=0.9)) == "detected"


def test_innocents_that_an_owner_would_claim_are_counted() -> None:
    one = make_matrix(own=0.9)
    one.scores[0][3], one.scores[2][1] = 0.5, 0.49
    assert one.innocents_claimed == (1, 30)


def test_three_keys_can_detect_nothing() -> None:
    few = make_matrix(count=3, own=0.9).verdict
    assert few is not None
    assert few.sentence.startswith("inconclusive (gate failed: there should be 4 keys or more")
    assert word(make_matrix(count=4, own=0.9)) == "detected"


def test_where_the_test_is_not_defined_there_is_no_verdict() -> None:
    undefined = make_matrix(scores=[[None] * 6] * 6)
    assert undefined.verdict is None
    assert not undefined.defined
