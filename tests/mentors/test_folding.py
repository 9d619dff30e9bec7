import torch
from torch import nn

from mimicbench.mentors.folding import folded
from mimicbench.networks.vgg import VGG16
from tests.standins import randomised


def assert_same_answers(network: nn.Module) -> nn.Module:
    network = randomised(network).double()
    images = torch.rand(16, 3, 32, 32, dtype=torch.float64)
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    answering = folded(network)
    assert network.training
    assert not answering.training
    assert not any(weight.requires_grad for weight in answering.parameters())
    assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())
    torch.testing.assert_close(answering(images), network.eval()(images), rtol=1e-9, atol=1e-9)
    return answering


def test_every_batch_norm_of_vgg_is_folded() -> None:
    answering = assert_same_answers(VGG16(5, 32, 0.5, width=0.05, batch_norm=True))
    assert not [module for module in answering.modules() if isinstance(module, nn.BatchNorm2d)]


def test_a_network_without_batch_norm_is_only_copied() -> None:
    assert_same_answers(VGG16(5, 32, 0.5, width=0.05, batch_norm=False))


def test_what_does_not_follow_its_convolution_is_left() -> None:
    between = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.BatchNorm2d(4))
    assert isinstance(assert_same_answers(between)[2], nn.BatchNorm2d)
    batch_statistics = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False))
    assert isinstance(assert_same_answers(batch_statistics)[1], nn.BatchNorm2d)
    shared = nn.ReLU()
    around = nn.Sequential(shared, nn.Conv2d(3, 4, 3), shared, nn.BatchNorm2d(4))
    assert isinstance(assert_same_answers(around)[3], nn.BatchNorm2d)
    nested = nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4)), nn.BatchNorm2d(4))
    assert isinstance(assert_same_answers(nested)[1], nn.BatchNorm2d)
