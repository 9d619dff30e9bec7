import pytest

from mimicbench.report import marks
from tests.ownership.test_matrix import make_matrix


def test_a_row_has_what_an_owner_asks_for() -> None:
    one = make_matrix(own=0.9)
    (row,) = marks.rows([one]).to_dict("records")
    own = sum(one.scores[i][i] for i in range(6)) / 6
    others = sum(one.scores[i][j] for i in range(6) for j in range(6) if i != j) / 30
    assert row["Own students"] == f"{own:.1%}"
    assert row["Other students"] == f"{others:.1%}"
    assert row["Excess"].startswith(f"{100 * (own - others):+.1f} (≤ ")
    assert row["Accuracy lost"] == "2.0 points"
    assert row["Carriers"] == "6 of 6 (≤ 100.0%)"
    assert row["p"] == f"{1 / 720:.2g}"  # one of 6! pairings
    assert row["Verdict"] == "detected"


@pytest.mark.parametrize(
    ("arm", "claim"),
    [("Composite, label", "not carried"), ("Composite once, label", "not carried"), ("Standard, label", "–")],
)
def test_the_papers_claim_is_about_composites(arm: str, claim: str) -> None:
    assert marks.rows([make_matrix(arm=arm)])["Paper"].tolist() == [claim]


def test_a_row_tells_of_mentors_controls_and_innocents() -> None:
    one = make_matrix(own=0.9, distilled_scores=make_matrix(own=0.7).scores, took=[True] * 5 + [False], threshold=0.115)
    (row,) = marks.rows([one]).to_dict("records")
    copies, distilled = (sum(found[i][i] for i in range(6)) / 6 for found in (one.control_scores, one.distilled_scores))
    wrongly = sum(one.scores[i][j] >= 0.115 for i in range(6) for j in range(6) if i != j)
    assert row["Mentors"] == "100.0%"
    assert row["Took"] == "5 of 6"
    assert row["Fine-tuned copies"] == f"{copies:.1%}"
    assert row["Distilled"] == f"{distilled:.1%}"
    assert 0 < wrongly < 30
    assert row["Claimed wrongly"] == f"{wrongly} of 30"


def test_a_test_that_is_not_defined_says_so() -> None:
    (row,) = marks.rows([make_matrix(scores=[[None] * 6] * 6)]).to_dict("records")
    assert row["Verdict"].startswith("undefined")
    assert row["Own students"] == row["Excess"] == "–"
