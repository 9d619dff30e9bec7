from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import pytest
import torch

from mimicbench.errors import UserError
from tests.oracles.protected import make_oracle, some_answers, some_images


@pytest.mark.parametrize("decimals", [0, 1, 2, 5])
def test_replies_are_those_of_the_formula(decimals: int, tmp_path: Path) -> None:
    answers = some_answers(500)
    replies = make_oracle("rounded", tmp_path, f"oracle.decimals={decimals}")._reply(answers, some_images(500))
    scaled = answers * 10.0**decimals  # in float32, as numpy.around does it
    for answer, row, reply in zip(answers.tolist(), scaled.tolist(), replies.tolist(), strict=True):
        units = [int(Decimal(value).quantize(Decimal(1), ROUND_HALF_EVEN)) for value in row]
        label = answer.index(max(answer))
        if max(unit for i, unit in enumerate(units) if i != label) == units[label]:
            units[label] += 1
        assert reply == pytest.approx([unit / sum(units) for unit in units], abs=1e-6)


def test_a_uniform_answer_names_its_label_alone_where_all_is_rounded_away(tmp_path: Path) -> None:
    oracle = make_oracle("rounded", tmp_path, "oracle.decimals=0")
    replies = oracle._reply(torch.full((1, 10), 0.1), some_images(1))
    assert replies.tolist() == [[1.0] + [0.0] * 9]


@pytest.mark.parametrize("decimals", [-1, 7, "many"])
def test_decimals_that_make_no_sense(decimals: object, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"oracle\.decimals={decimals} is refused"):
        make_oracle("rounded", tmp_path, f"oracle.decimals={decimals}")
