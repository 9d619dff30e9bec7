from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from tests.oracles.protected import make_oracle, some_answers, some_images


def optimum(answer: np.ndarray, epsilon: float) -> float:
    """The program's value, by a solver: variables are the reply and, for each class, a bound on its distance."""
    classes, label = len(answer), int(answer.argmax())
    identity, rest = np.eye(classes), np.delete(np.arange(classes), label)
    margin = identity[rest] - identity[label]
    bounds = np.block(
        [
            [identity, -identity],
            [-identity, -identity],
            [np.zeros((1, classes)), np.ones((1, classes))],
            [margin, np.zeros_like(margin)],
        ]
    )
    limits = np.concatenate([answer, -answer, [epsilon], np.full(len(rest), -1e-4)])
    cost = np.concatenate([np.log(np.maximum(answer, 1e-12)), np.zeros(classes)])
    whole = np.concatenate([np.ones(classes), np.zeros(classes)])[None]
    solved = linprog(cost, bounds, limits, whole, [1.0])
    assert solved.status == 0
    return float(solved.fun)


@pytest.mark.parametrize("epsilon", [0.1, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("classes", [2, 3, 10, 25])
def test_replies_are_as_good_as_a_solvers(classes: int, epsilon: float, tmp_path: Path) -> None:
    answers = some_answers(40, classes=classes)
    oracle = make_oracle("modelguard_w", tmp_path, f"oracle.epsilon={epsilon}", classes=classes)
    replies = oracle._reply(answers, some_images(40)).double()
    labels = answers.argmax(1)
    for answer, reply, label in zip(answers.double(), replies, labels, strict=True):
        answer = answer / answer.sum()
        assert (reply - answer).abs().sum() <= epsilon + 1e-6
        others = torch.cat([reply[:label], reply[label + 1 :]])
        assert others.max() <= reply[label] - 1e-4 + 1e-6
        value = float(answer.clamp_min(1e-12).log() @ reply)
        best = optimum(answer.numpy(), epsilon)
        assert value == pytest.approx(best, rel=2e-5, abs=2e-5)  # replies are float32
