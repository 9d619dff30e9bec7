"""Jobs whose mentors are marked."""

import json
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mimicbench.errors import UserError
from mimicbench.watermarks.marked import marked
from tests.ownership.stand_ins import Scored
from tests.test_run import started


def test_a_marked_mentor_is_compared_with_an_unmarked_one(
    cache: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    result = started(cache, tmp_path, "watermark=content", "watermark.key=3")
    mark = result.watermark
    assert mark is not None
    assert (mark.scheme, mark.key, mark.size) == ("content", 3, 100)
    assert mark.accuracy_lost == pytest.approx(started(cache, tmp_path / "2").mentor_accuracy - result.mentor_accuracy)
    assert mark.mentor_score is not None
    assert mark.student_score is not None
    assert mark.claimed == (mark.student_score >= 0.5)
    assert mark.took == (mark.mentor_score >= 0.9 and mark.accuracy_lost <= 0.02)
    assert ("The mark did not take" in caplog.text) == (not mark.took)
    assert json.loads((tmp_path / "result.json").read_text())["watermark"] == asdict(mark)


@pytest.mark.parametrize(
    ("score", "lost", "took"), [(0.9, 0.99 - 0.97, True), (0.9, 0.0201, False), (0.89, 0.0, False)]
)
def test_it_takes_nine_tenths_of_a_mark_and_two_points_of_accuracy_at_most(
    score: float, lost: float, took: bool
) -> None:
    watermark: Any = SimpleNamespace(evidence=Scored(0))
    mentor: Any = {0: score}
    assert marked(watermark, mentor, mentor, lost).took == took


def test_triggers_that_lie_in_the_attackers_pool_are_warned_of(
    cache: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    warning = "The triggers of the mark lie in the attacker's own pool"
    started(cache, tmp_path / "1", "watermark=unrelated")
    assert warning not in caplog.text
    own = ("pool@watermark.images=photos", "watermark.images.crops=300")
    started(cache, tmp_path / "2", "watermark=unrelated", *own)
    assert warning in caplog.text


def test_a_mentor_that_is_trained_already_cannot_be_marked(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"choose watermark=none for one that is there"):
        started(cache, tmp_path, "watermark=noise", "mentor.checkpoint=some.ckpt")
