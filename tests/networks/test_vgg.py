import math

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from mimicbench.networks.vgg import VGG16
from tests.standins import make_recipe

# Table 1, row by row.
TABLE_1 = """
3 × 3 Convolution 64, 3 × 3 Convolution 64, Max pooling,
3 × 3 Convolution 128, 3 × 3 Convolution 128, Max pooling,
3 × 3 Convolution 256, 3 × 3 Convolution 256, 3 × 3 Convolution 256, Max pooling,
3 × 3 Convolution 512, 3 × 3 Convolution 512, 3 × 3 Convolution 512, Max pooling,
3 × 3 Convolution 512, 3 × 3 Convolution 512, 3 × 3 Convolution 512, Max pooling,
Dense 512, Dense 512, Softmax 10
"""


def plain(classes: int = 10, size: int = 32, dropout: float = 0.0, width: float = 1.0) -> VGG16:
    return VGG16(classes, size, dropout, width=width, batch_norm=False)


def in_order_of_use(network: nn.Module, size: int) -> list[nn.Module]:
    used: list[nn.Module] = []
    leaves = [module for module in network.modules() if not list(module.children())]
    hooks = [leaf.register_forward_hook(lambda module, *_: used.append(module)) for leaf in leaves]
    network.eval()(torch.zeros(1, 3, size, size))
    for hook in hooks:
        hook.remove()
    return used


def rows(layers: list[nn.Module]) -> list[str]:
    described = []
    dense = [layer for layer in layers if isinstance(layer, nn.Linear)]
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            described.append("{} × {} Convolution {}".format(*layer.kernel_size, layer.out_channels))
            assert (layer.stride, layer.padding, layer.groups) == ((1, 1), (1, 1), 1)
        elif isinstance(layer, nn.MaxPool2d):
            described.append("Max pooling")
            assert (layer.kernel_size, layer.stride, layer.padding) == (2, 2, 0)
        elif isinstance(layer, nn.Linear):
            described.append(f"{'Softmax' if layer is dense[-1] else 'Dense'} {layer.out_features}")
    return described


@pytest.mark.parametrize("batch_norm", [False, True])
def test_layers_are_those_of_table_1_in_their_order(batch_norm: bool) -> None:
    layers = in_order_of_use(VGG16(10, 32, 0.0, width=1.0, batch_norm=batch_norm), 32)
    assert rows(layers) == [row.strip() for row in TABLE_1.replace("\n", " ").split(",")]


def test_relu_after_each_layer_but_the_last_and_dropout_after_each_dense_layer_of_512() -> None:
    layers = in_order_of_use(plain(dropout=0.2), 32)
    for place, layer in enumerate(layers[:-1]):
        if isinstance(layer, nn.Conv2d | nn.Linear):
            pooled = isinstance(layers[place + 1], nn.MaxPool2d)
            assert isinstance(layers[place + 1 + pooled], nn.ReLU)
    dropouts = [place for place, layer in enumerate(layers) if isinstance(layer, nn.Dropout)]
    assert [layers[place].p for place in dropouts] == [0.2, 0.2]
    assert [layers[place - 2].out_features for place in dropouts] == [512, 512]
    assert isinstance(layers[-1], nn.Linear)


def test_pooling_before_the_relu_is_pooling_after_it() -> None:
    values = torch.randn(64, 3, 8, 8).round(decimals=1)  # equal ones in a window too
    values[::2] -= 3  # windows without a positive one
    before, after = values.clone().requires_grad_(), values.clone().requires_grad_()
    pooled, weights = F.max_pool2d(before, 2).relu(), torch.randn(64, 3, 4, 4)
    expected = F.max_pool2d(after.relu(), 2)
    assert torch.equal(pooled, expected)
    (pooled * weights).sum().backward()
    (expected * weights).sum().backward()
    assert torch.equal(before.grad, after.grad)


def test_batch_norm_stands_between_each_convolution_and_its_relu_and_nowhere_else() -> None:
    layers = in_order_of_use(VGG16(10, 32, 0.0, width=0.05, batch_norm=True), 32)
    after_convolutions = [type(layers[i + 1]) for i, layer in enumerate(layers) if isinstance(layer, nn.Conv2d)]
    assert after_convolutions == [nn.BatchNorm2d] * 13
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in layers) == 13


def counted(classes: int, size: int, batch_norm: bool) -> int:
    """Parameters by hand."""
    total, inputs = 0, 3
    for filters in (64, 64, 128, 128, 256, 256, 256, *[512] * 6):
        total += 9 * inputs * filters + (2 * filters if batch_norm else filters)
        inputs = filters
    inputs *= (size // 32) ** 2
    for outputs in (512, 512, classes):
        total += (inputs + 1) * outputs
        inputs = outputs
    return total


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def test_15245130_parameters() -> None:
    assert parameters(plain()) == 15_245_130 == counted(10, 32, batch_norm=False)


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize(("classes", "size"), [(2, 32), (100, 48), (7, 64)])
def test_any_size_from_32_and_any_number_of_classes(classes: int, size: int, batch_norm: bool) -> None:
    with torch.device("meta"):
        assert parameters(VGG16(classes, size, 0.0, width=1.0, batch_norm=batch_norm)) == counted(
            classes, size, batch_norm
        )
    small = VGG16(classes, size, 0.0, width=0.05, batch_norm=batch_norm)
    assert small(torch.rand(3, 3, size, size)).shape == (3, classes)


@pytest.mark.parametrize(("width", "filters"), [(0.25, [16, 32, 64, 128, 128]), (0.05, [3, 6, 13, 26, 26])])
def test_width_scales_all_channels(width: float, filters: list[int]) -> None:
    network = plain(width=width)
    convolutions = [layer.out_channels for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    dense = [layer.out_features for layer in network.modules() if isinstance(layer, nn.Linear)]
    assert convolutions == [f for f, times in zip(filters, (2, 2, 3, 3, 3), strict=True) for _ in range(times)]
    assert dense == [filters[-1], filters[-1], 10]


@pytest.mark.parametrize("batch_norm", [False, True])
def test_he_initialisation(batch_norm: bool) -> None:
    torch.manual_seed(0)
    layers = [
        layer
        for layer in VGG16(10, 32, 0.0, width=0.5, batch_norm=batch_norm).modules()
        if isinstance(layer, nn.Conv2d | nn.Linear)
    ]
    assert len(layers) == 16
    for layer in layers:
        fan_in = layer.weight[0].numel()
        deviation = math.sqrt(2 / fan_in)
        error = deviation / math.sqrt(layer.weight.numel())
        assert abs(layer.weight.mean()) < 5 * error
        assert abs(layer.weight.std() - deviation) < 5 * error
        if layer.bias is not None:
            assert not layer.bias.any()


def test_he_initialisation_is_normal() -> None:
    torch.manual_seed(0)
    weight = plain(width=0.5).features[-3].weight
    standard = weight / weight.std()
    assert abs((standard**4).mean() - 3) < 0.1  # a uniform law has 1.8


def test_the_signal_survives_13_convolutions() -> None:
    torch.manual_seed(0)
    images = torch.rand(64, 3, 32, 32)
    assert plain(width=0.25)(images).std(0).mean() > 0.1  # 0.0002 with PyTorch's default


def test_normalisation_is_part_of_the_network() -> None:
    network = plain(width=0.05)
    inputs: list[torch.Tensor] = []
    network.features.register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
    images = torch.rand(2, 3, 32, 32)
    kept = images.clone()
    network(images)
    torch.testing.assert_close(inputs[0], images * 4 - 2)
    assert torch.equal(images, kept)


def test_dropout_acts_in_training_only() -> None:
    torch.manual_seed(0)
    network, images = plain(dropout=0.5, width=0.1), torch.rand(1, 3, 32, 32)
    assert not torch.equal(network(images), network(images))
    network.eval()
    assert torch.equal(network(images), network(images))


def test_the_plain_network_trains() -> None:
    torch.manual_seed(0)
    network = plain(classes=2, width=0.1)
    optimizer = make_recipe(learning_rate=0.02).optimizer(network)
    labels = torch.arange(32) % 2
    images = torch.rand(32, 3, 32, 32) * 0.5 + 0.5 * labels[:, None, None, None]
    for _ in range(20):
        loss = F.cross_entropy(network(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.3  # log 2 = 0.69 is where it starts
