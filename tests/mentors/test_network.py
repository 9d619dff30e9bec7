from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from mimicbench.hardware import Hardware, has_compiler
from mimicbench.mentors import NetworkMentor
from mimicbench.networks.vgg import VGG16
from tests.standins import BFLOAT16, FLOAT32, randomised

CLASSES = tuple("abcde")


def make_network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return randomised(VGG16(5, 32, 0.5, width=0.05, batch_norm=True))


@pytest.mark.parametrize("count", [1, 2, 1001])
def test_answers_with_the_softmax_of_the_networks_scores(count: int) -> None:
    network, images = make_network(), torch.rand(count, 3, 32, 32)
    answers = NetworkMentor(network, CLASSES, FLOAT32)(images)
    logits = network.eval()(images).detach().double().numpy()
    expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(answers, expected, atol=1e-5)
    assert answers.dtype == torch.float32


@pytest.mark.parametrize("hardware", [FLOAT32, BFLOAT16], ids=lambda hardware: hardware.precision)
def test_stays_in_evaluation_mode_whoever_calls_train(hardware: Hardware) -> None:
    network, images = make_network(), torch.rand(8, 3, 32, 32)
    mentor = NetworkMentor(network, CLASSES, hardware)
    first = mentor(images)
    statistics = {name: value.clone() for name, value in network.named_buffers()}
    network.train()
    assert torch.equal(mentor(images), first)
    assert all(torch.equal(value, statistics[name]) for name, value in network.named_buffers())


def test_no_gradient_passes_the_mentor() -> None:
    network = make_network()
    images = torch.rand(2, 3, 32, 32, requires_grad=True)
    answers = NetworkMentor(network, CLASSES, FLOAT32)(images)
    assert not answers.requires_grad


def test_bfloat16_answers_are_float32_distributions_near_those_of_float32() -> None:
    images = torch.rand(50, 3, 32, 32)
    low, full = (NetworkMentor(make_network(), CLASSES, hardware)(images) for hardware in (BFLOAT16, FLOAT32))
    assert low.dtype == torch.float32
    torch.testing.assert_close(low.sum(1), torch.ones(50))
    assert not torch.equal(low, full)
    assert (low - full).abs().max() < 0.1


@pytest.mark.skipif(not has_compiler(), reason="needs a C++ compiler")
def test_a_compiled_mentor_answers_the_same() -> None:
    images = torch.rand(300, 3, 32, 32)  # more than are answered at once, and then fewer
    compiled = NetworkMentor(make_network(), CLASSES, replace(FLOAT32, sgd_step="compiled"))
    eager = NetworkMentor(make_network(), CLASSES, FLOAT32)
    torch.testing.assert_close(compiled(images), eager(images))
    assert compiled.fingerprint == eager.fingerprint


def test_the_fingerprint_names_the_weights() -> None:
    prints = [NetworkMentor(make_network(seed), CLASSES, FLOAT32).fingerprint for seed in (0, 0, 1)]
    assert prints[0] == prints[1] != prints[2]
    network = make_network()
    with torch.no_grad():
        network.classifier[-1].bias[0] += 1e-6
    assert NetworkMentor(network, CLASSES, FLOAT32).fingerprint != prints[0]
    network = make_network()
    next(value for name, value in network.named_buffers() if name.endswith("running_mean"))[0] += 1
    assert NetworkMentor(network, CLASSES, FLOAT32).fingerprint != prints[0]
