from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mimicbench.ownership import scoring
from mimicbench.ownership.scoring import _is_distilled, scores
from tests.ownership.stand_ins import Scored
from tests.ownership.test_matrix import make_matrix


def test_keys_are_rows_and_suspects_columns() -> None:
    suspects: list[Any] = [{7: 0.1, 8: 0.2}, {7: 0.3, 8: 0.4}, {7: 0.5, 8: 0.6}]
    assert scores([Scored(7), Scored(8)], suspects) == [[0.1, 0.3, 0.5], [0.2, 0.4, 0.6]]


OWN = {"name": "training_images", "watermark": {"key": 1}}


@pytest.mark.parametrize(
    ("pool", "oracle", "attack", "images", "distilled"),
    [
        (OWN, "softmax", ("standard", "reply"), np.zeros(1), True),
        (OWN, "softmax", ("standard", "reply"), None, False),  # a mark that adds none
        (OWN | {"watermark": {"key": 2}}, "softmax", ("standard", "reply"), np.zeros(1), False),
        (OWN | {"watermark": None}, "softmax", ("standard", "reply"), np.zeros(1), False),
        (OWN, "label", ("standard", "reply"), np.zeros(1), False),
        ({"name": "photos"}, "softmax", ("standard", "reply"), np.zeros(1), False),
        (OWN, "softmax", ("composite", "reply"), np.zeros(1), False),
        (OWN, "softmax", ("standard", "label"), np.zeros(1), False),
    ],
)
def test_a_student_is_distilled_that_had_all_of_it_before_it(
    pool: dict[str, Any], oracle: str, attack: tuple[str, str], images: np.ndarray | None, distilled: bool
) -> None:
    asking = dict(zip(("name", "use"), attack, strict=True))
    config = SimpleNamespace(pool=pool, watermark={"key": 1}, oracle={"name": oracle}, attack=asking)
    job: Any = SimpleNamespace(owned=SimpleNamespace(config=config, watermark=SimpleNamespace(images=images)))
    assert _is_distilled(job) == distilled


def job(arm: str, key: int) -> Any:
    """Of an arm such as ``digits 60 distilled``: task, the mentor's epochs, and what the student learned."""
    task, epochs, kind = arm.split(maxsplit=2)
    mark = {"name": "content", "key": key, "count": 200 if kind == "more triggers" else 100}
    config = SimpleNamespace(
        mentor={"max_epochs": epochs, "seed": key},
        watermark=mark,
        pool={"name": "training_images", "watermark": mark} if kind.startswith("distilled") else {"name": "photos"},
        oracle={"name": "softmax"},
        attack={"name": "standard", "use": "reply"},
    )
    owned = SimpleNamespace(
        config=config, watermark=SimpleNamespace(images=[0]), task=SimpleNamespace(fingerprint=task)
    )
    return SimpleNamespace(owned=owned)


def test_distilled_students_are_a_control_of_those_whose_mentors_were_trained_alike(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arms = ["digits 60 photos", "digits 60 distilled", "digits 60 distilled longer", "digits 6 photos"]
    arms += ["digits 60 more triggers", "cifar10 60 photos", "cifar10 60 labels"]
    keys = {"digits 60 distilled": range(1, 5)}
    rows = pd.DataFrame([{"arm": arm, "watermark.key": key} for arm in arms for key in keys.get(arm, range(4))])
    monkeypatch.setattr(scoring.table, "labels", lambda found, _: found["arm"].tolist())
    monkeypatch.setattr(
        scoring, "_scored", lambda found, _: [job(*one) for one in found.itertuples(index=False, name=None)]
    )
    monkeypatch.setattr(
        scoring, "_matrix", lambda _, arm, *__: make_matrix(4, arm=arm, scores=np.full((4, 4), len(arm)).tolist())
    )
    found = {one.arm: one for one in scoring._of_scheme("content", rows, tmp_path)}
    assert list(found) == arms
    of_digits = found["digits 60 distilled"].scores
    controlled = {arm: one.distilled_scores for arm, one in found.items() if one.distilled_scores is not None}
    assert controlled == {"digits 60 photos": of_digits, "digits 60 distilled longer": of_digits}
    said = capsys.readouterr().err
    assert "digits 60 distilled longer is no control: digits 60 distilled is one already" in said
    assert said.count("has no distilled control: its mentors were trained otherwise") == 4
