import math
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import nn

from mimicbench.recipe import Recipe
from tests.standins import make_recipe


def rates(recipe: Recipe, steps: int, taken: int) -> list[float]:
    """The learning rate at each of ``taken`` units."""
    optimizer = recipe.optimizer(nn.Linear(1, 1))
    scheduler = recipe.scheduler(optimizer, steps)
    seen = []
    for _ in range(taken):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return seen


def test_step_is_the_papers_schedule() -> None:
    recipe = make_recipe(learning_rate=0.001, schedule="step")
    assert recipe.schedule_unit == "epoch"
    seen = rates(recipe, 12345, 100)
    assert seen == pytest.approx([0.001 * 0.9 ** (epoch // 10) for epoch in range(100)])
    assert [seen[0], seen[9], seen[10], seen[99]] == pytest.approx([1e-3, 1e-3, 9e-4, 1e-3 * 0.9**9])


@pytest.mark.parametrize(("steps", "warmup"), [(100, 0.3), (37, 0.3), (1000, 0.1)])
def test_one_cycle_rises_for_the_warmup_and_falls_to_nothing_at_the_last_step(steps: int, warmup: float) -> None:
    recipe = make_recipe(learning_rate=0.05, schedule="one_cycle", warmup=warmup)
    assert recipe.schedule_unit == "step"
    top, end = warmup * steps - 1, steps - 1

    def cosine(start: float, stop: float, share: float) -> float:
        return stop + (start - stop) * (1 + math.cos(math.pi * share)) / 2

    expected = [
        cosine(0.002, 0.05, i / top) if i <= top else cosine(0.05, 2e-7, (i - top) / (end - top)) for i in range(steps)
    ]
    assert rates(recipe, steps, steps) == pytest.approx(expected, rel=1e-6)


@example(steps=1, warmup=0.3)
@example(steps=2, warmup=0.3)
@example(steps=3, warmup=0.3)
@given(steps=st.integers(1, 300), warmup=st.sampled_from([0.1, 0.2, 0.25, 0.3, 0.5, 0.9]))
def test_one_cycle_works_for_any_number_of_steps(steps: int, warmup: float) -> None:
    seen = rates(make_recipe(learning_rate=0.05, schedule="one_cycle", warmup=warmup), steps, steps)
    assert all(0 < rate <= 0.05 * (1 + 1e-9) for rate in seen)
    assert seen[-1] <= 0.05 / 25 * (1 + 1e-9)


def test_optimizer_is_sgd_with_momentum_and_decay_on_all_weights() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2))
    optimizer = make_recipe(learning_rate=0.1, momentum=0.9, weight_decay=5e-4).optimizer(network)
    (group,) = optimizer.param_groups
    assert {id(p) for p in group["params"]} == {id(p) for p in network.parameters()}
    assert (group["lr"], group["momentum"], group["weight_decay"]) == (0.1, 0.9, 5e-4)
    assert not group["nesterov"]
    assert not group["dampening"]

    # Two steps of L2-regularised momentum SGD by hand.
    weight = nn.Parameter(torch.tensor([1.0, -2.0]))
    holder = nn.Module()
    holder.weight = weight
    optimizer = make_recipe(learning_rate=0.1, momentum=0.9, weight_decay=0.5).optimizer(holder)
    expected, velocity = torch.tensor([1.0, -2.0]), torch.zeros(2)
    for gradient in (torch.tensor([3.0, 1.0]), torch.tensor([-1.0, 2.0])):
        weight.grad = gradient.clone()
        optimizer.step()
        velocity = 0.9 * velocity + (gradient + 0.5 * expected)
        expected = expected - 0.1 * velocity
        torch.testing.assert_close(weight.detach(), expected)


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch_size": 0},
        {"learning_rate": 0.0},
        {"learning_rate": -1.0},
        {"learning_rate": float("nan")},
        {"momentum": 1.0},
        {"momentum": -0.1},
        {"weight_decay": -1e-4},
        {"dropout": 1.0},
        {"schedule": "cosine"},
        {"warmup": 0.0},
        {"warmup": 1.0},
        {"dropuot": 0.2},
    ],
    ids=str,
)
def test_values_beyond_their_limits_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make_recipe(**wrong)
