from pathlib import Path

import pytest
import torch

from mimicbench.errors import QueryBudgetExceeded
from mimicbench.oracles.label import Label
from mimicbench.oracles.ledger import Ledger
from tests.standins import SpyMentor


def test_it_outlives_the_process_that_wrote_it(tmp_path: Path) -> None:
    file = tmp_path / "new" / "queries.txt"
    first = Ledger(file, "job")
    assert first.total == 0
    first.note(3)
    first.note(4)
    second = Ledger(file, "job")
    second.note(5)
    assert second.total == 12
    assert Ledger(file, "another").total == 0


def test_an_oracle_notes_what_it_sends_and_not_what_it_refuses(tmp_path: Path) -> None:
    oracle = Label(SpyMentor(), budget=5)
    oracle.ledger = Ledger(tmp_path / "queries.txt", "job")
    oracle.ask(torch.rand(3, 3, 4, 4))
    with pytest.raises(QueryBudgetExceeded):
        oracle.ask(torch.rand(3, 3, 4, 4))
    oracle.recall(5)
    assert oracle.ledger.total == 3


def test_another_rank_adds_to_the_file_that_the_first_has_begun(tmp_path: Path) -> None:
    file = tmp_path / "queries.txt"
    other = Ledger(file, "job", begin=False)
    assert not file.exists()
    first = Ledger(file, "job")
    for ledger, count in ((first, 3), (other, 4), (first, 5)):
        ledger.note(count)
    assert first.total == other.total == 12
