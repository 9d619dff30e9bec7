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
    ("arm", "claim"), [("Composite, label", "no mark"), ("Composite once, label", "no mark"), ("Standard, label", "–")]
)
def test_the_papers_claim_is_about_composites(arm: str, claim: str) -> None:
    assert marks.rows([make_matrix(arm=arm)])["Paper"].tolist() == [claim]


def test_a_test_that_is_not_defined_says_so() -> None:
    (row,) = marks.rows([make_matrix(scores=[[None] * 6] * 6)]).to_dict("records")
    assert row["Verdict"].startswith("undefined")
    assert row["Own students"] == row["Excess"] == "–"
