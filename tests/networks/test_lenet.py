import pytest
import torch
from torch import nn

from mimicbench.networks.lenet import LeNet5


def layers(kind: type[nn.Module], **settings: object) -> list[nn.Module]:
    network = LeNet5(10, 32, 0.3, **{"width": 1.0, "batch_norm": False} | settings)
    return [module for module in network.modules() if isinstance(module, kind)]


def test_its_size_is_that_of_1998_but_for_what_was_sparse_there() -> None:
    """Feature maps of 28, 14, 10 and 5 pixels, and 6, 16, 120, 84 and K units (LeCun et al. 1998, section II.B)."""
    network = LeNet5(10, 32, 0.0, width=1.0, batch_norm=False)
    shapes = []
    for layer in network.features:
        layer.register_forward_hook(lambda module, given, out: shapes.append(tuple(out.shape[1:])))
    network(torch.zeros(1, 3, 32, 32))
    assert list(dict.fromkeys(shapes)) == [(6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 5, 5)]
    assert [layer.out_features for layer in layers(nn.Linear)] == [120, 84, 10]
    assert [layer.p for layer in layers(nn.Dropout)] == [0.3, 0.3]


@pytest.mark.parametrize(("width", "filters"), [(0.01, [1, 1]), (0.5, [3, 8]), (2.0, [12, 32])])
def test_width_scales_all_but_the_last_layer(width: float, filters: list[int]) -> None:
    assert [layer.out_channels for layer in layers(nn.Conv2d, width=width)] == filters
    assert layers(nn.Linear, width=width)[-1].out_features == 10


@pytest.mark.parametrize("batch_norm", [False, True])
def test_batch_norm_follows_each_convolution(batch_norm: bool) -> None:
    assert [norm.num_features for norm in layers(nn.BatchNorm2d, batch_norm=batch_norm)] == [6, 16] * batch_norm


def test_logits_do_not_change_with_the_neighbours_in_a_batch() -> None:
    torch.manual_seed(0)
    network, images = LeNet5(7, 48, 0.5, width=0.5, batch_norm=True).eval(), torch.rand(5, 3, 48, 48)
    torch.testing.assert_close(network(images)[2], network(images[2:3])[0])
    assert network(images).shape == (5, 7)
    assert network(images).std() > 0.01
