from typing import Any

import pytest

from mimicbench.report import job
from mimicbench.results import Queries
from tests.test_results import make_mark, make_result


def test_a_single_job_is_printed_with_all_that_the_readme_promises(capsys: pytest.CaptureFixture[str]) -> None:
    job.show(make_result(config={"paths": {"output_dir": "somewhere"}}))
    printed = capsys.readouterr().out
    for value in ("90.00%", "81.00%", "85.00%", "1,000 (990 different)", "8 in 2 epochs, seed 0", "CPU, 32-true"):
        assert value in printed
    assert "somewhere" in printed


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "content, key 3: the mentor shows 100.0% and the student shows 20.0%"),
        ({"took": False, "mentor_score": 0.5}, "content, key 3, did not take: the mentor shows 50.0%"),
        ({"student_score": None}, "the student does not show it"),
    ],
)
def test_a_mark_is_told_of(changes: dict[str, Any], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    job.show(make_result(watermark=make_mark(key=3, **changes), config={"paths": {"output_dir": "somewhere"}}))
    assert told in " ".join(capsys.readouterr().out.split())


def test_one_is_singular(capsys: pytest.CaptureFixture[str]) -> None:
    job.show(make_result(epochs=1, config={"paths": {"output_dir": "somewhere"}}))
    assert "8 in 1 epoch, seed 0" in capsys.readouterr().out


def test_what_replies_cost_is_printed_where_they_cost_something(capsys: pytest.CaptureFixture[str]) -> None:
    bill = {"answered": 900, "reused": 100, "retried": 3, "in_doubt": 64, "measuring": 445, "price": 1350.0}
    job.show(make_result(queries=Queries(1000, 990, None, 0, **bill), config={"paths": {"output_dir": "somewhere"}}))
    printed = " ".join(capsys.readouterr().out.split())  # wrapped to the terminal
    assert "900 answered, 100 reused, 3 requests retried, 64 in doubt; 445 more to measure" in printed
    assert "1,350.00" in printed
    job.show(make_result(config={"paths": {"output_dir": "somewhere"}}))
    assert "Price" not in capsys.readouterr().out
