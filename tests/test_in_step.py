from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from mimicbench.errors import UserError
from mimicbench.in_step import InStep
from mimicbench.learner import Learner
from mimicbench.rank import ALONE, Rank
from tests.standins import make_recipe


def learner(weight: float) -> Learner:
    network = nn.Linear(2, 2)
    nn.init.constant_(network.weight, weight)
    nn.init.zeros_(network.bias)
    return Learner(network, make_recipe(), 1, 2)


def begin(job: str, step: int, rank: Rank = ALONE) -> None:
    trainer: Any = SimpleNamespace(global_step=step)
    InStep(rank, job, Path("last.ckpt")).on_train_start(trainer)


def end(network: float, rank: Rank = ALONE, checkpoint: Path = Path("last.ckpt")) -> None:
    InStep(rank, "job", checkpoint).on_train_end(None, learner(network))  # type: ignore[arg-type]


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the other rank gives."""
    given: list[Any] = []

    def gathered(_: Rank, value: Any) -> list[Any]:
        given.append(value)
        return given

    monkeypatch.setattr(Rank, "gathered", gathered)
    return given


def test_ranks_that_begin_alike_and_end_alike_pass(others: list[Any]) -> None:
    for rank in (Rank(0, 2), Rank(1, 2)):
        begin("job", 3, rank)
    assert others == [("job", 3)] * 2
    others.clear()
    for rank in (Rank(0, 2), Rank(1, 2)):
        end(0.5, rank)
    first, second = others
    assert first == second


def test_a_job_in_one_process_passes(tmp_path: Path) -> None:
    checkpoint = tmp_path / "last.ckpt"
    checkpoint.touch()
    begin("job", 3)
    end(0.5, checkpoint=checkpoint)
    assert checkpoint.exists()


@pytest.mark.parametrize("other", [("another job", 3), ("job", 4)])
def test_another_job_or_another_checkpoint_is_refused(other: tuple[str, int], others: list[Any]) -> None:
    begin(*other, Rank(0, 2))
    with pytest.raises(UserError, match="do not begin alike"):
        begin("job", 3, Rank(1, 2))


def test_networks_that_differ_in_one_bit_are_found_and_never_continued(others: list[Any], tmp_path: Path) -> None:
    end(0.5, Rank(0, 2))
    checkpoint = tmp_path / "last.ckpt"
    checkpoint.touch()
    with pytest.raises(RuntimeError, match="different networks"):
        end(float(torch.nextafter(torch.tensor(0.5), torch.tensor(1.0))), Rank(1, 2), checkpoint)
    assert not checkpoint.exists()
