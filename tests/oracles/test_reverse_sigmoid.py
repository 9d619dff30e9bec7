import math
from pathlib import Path

import pytest
import torch

from tests.oracles.protected import make_oracle, some_answers, some_images


def bent(probability: float, beta: float, gamma: float) -> float:
    kept = min(max(probability, 1e-9), 1 - 1e-9)
    logit = math.log(kept / (1 - kept))
    return max(0.0, probability - beta * (1 / (1 + math.exp(-gamma * logit)) - 0.5))


@pytest.mark.parametrize(("beta", "gamma"), [(0.21, 0.2), (0.5, 0.3)])
def test_replies_are_those_of_the_formula(beta: float, gamma: float, tmp_path: Path) -> None:
    answers = some_answers(400)
    oracle = make_oracle("reverse_sigmoid", tmp_path, f"oracle.beta={beta}", f"oracle.gamma={gamma}")
    for answer, reply in zip(answers.tolist(), oracle._reply(answers, some_images(400)).tolist(), strict=True):
        values = [bent(one, beta, gamma) for one in answer]
        expected = [value / sum(values) for value in values]
        if beta == 0.21:  # elsewhere values may have to be exchanged
            assert reply == pytest.approx(expected, abs=1e-6)
        assert sorted(reply) == pytest.approx(sorted(expected), abs=1e-6)


def test_with_many_classes_the_formula_alone_would_lose_the_label(tmp_path: Path) -> None:
    answer = torch.full((1, 100), 0.0125)
    answer[0, 70] = 0.014
    answer[0, :20] = 1e-9
    answer /= answer.sum()
    values = [bent(one, 0.21, 0.2) for one in answer[0].tolist()]
    assert max(values) in values[:20]
    oracle = make_oracle("reverse_sigmoid", tmp_path, classes=100)
    assert oracle._reply(answer, some_images(1)).argmax().item() == 70
