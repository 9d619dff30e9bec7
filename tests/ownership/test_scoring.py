from typing import Any

from mimicbench.ownership.scoring import scores
from tests.ownership.stand_ins import Scored


def test_keys_are_rows_and_suspects_columns() -> None:
    suspects: list[Any] = [{7: 0.1, 8: 0.2}, {7: 0.3, 8: 0.4}, {7: 0.5, 8: 0.6}]
    assert scores([Scored(7), Scored(8)], suspects) == [[0.1, 0.3, 0.5], [0.2, 0.4, 0.6]]
