"""The replies that the Adversarial Robustness Toolbox has too."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.oracles.protected import make_oracle, some_answers, some_images

postprocessor = pytest.importorskip("art.defences.postprocessor", reason="needs the extra bench")


@pytest.mark.parametrize("decimals", [1, 2, 4])
def test_rounded(decimals: int, tmp_path: Path) -> None:
    answers = some_answers(1000)
    theirs = postprocessor.Rounded(decimals=decimals)(answers.numpy())
    ours = make_oracle("rounded", tmp_path, f"oracle.decimals={decimals}")._reply(answers, some_images(1000)).numpy()
    sums, top = theirs.sum(1), np.sort(theirs, axis=1)
    untied = top[:, -1] > top[:, -2]  # theirs does not break ties
    assert 100 < untied.sum() < 1000
    np.testing.assert_allclose(ours[untied], (theirs / sums[:, None])[untied], atol=1e-6)


@pytest.mark.parametrize(("beta", "gamma"), [(0.21, 0.2), (0.1, 0.4)])
def test_reverse_sigmoid(beta: float, gamma: float, tmp_path: Path) -> None:
    answers = some_answers(1000)
    theirs = postprocessor.ReverseSigmoid(beta=beta, gamma=gamma)(answers.double().numpy())
    oracle = make_oracle("reverse_sigmoid", tmp_path, f"oracle.beta={beta}", f"oracle.gamma={gamma}")
    np.testing.assert_allclose(oracle._reply(answers, some_images(1000)).numpy(), theirs, atol=1e-6)


def test_class_labels_of_one_image_at_a_time(tmp_path: Path) -> None:
    answers = some_answers(200)
    labels = postprocessor.ClassLabels()
    theirs = np.concatenate([labels(answer[None].numpy()) for answer in answers])
    ours = make_oracle("label", tmp_path)._reply(answers, some_images(200))
    assert torch.equal(ours, torch.from_numpy(theirs))


def test_class_labels_of_a_batch_are_theirs_alone(tmp_path: Path) -> None:
    answers = some_answers(20)
    theirs = postprocessor.ClassLabels()(answers.numpy())
    assert (theirs.sum(1) > 1).all()  # each row is marked with the labels of all
    assert (make_oracle("label", tmp_path)._reply(answers, some_images(20)).sum(1) == 1).all()
