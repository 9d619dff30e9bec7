from pathlib import Path

import torch
from torch import nn

from mimicbench.oracles.owner import Owner
from tests.making import make_paths
from tests.standins import FLOAT32, make_task

NETWORK = {"_target_": "mimicbench.networks.vgg.VGG16", "width": 0.05, "batch_norm": True}


def first_weights(network: nn.Module) -> torch.Tensor:
    return next(network.parameters()).detach()


def test_networks_of_one_seed_differ_by_what_they_are_for_and_by_number(tmp_path: Path) -> None:
    owner = Owner(make_task(), make_paths(tmp_path), FLOAT32)
    made = [
        owner.network("oracle.proxy", NETWORK, 0),
        owner.network("oracle.network", NETWORK, 0),
        owner.network("oracle.network", NETWORK, 0, number=1),
        owner.network("oracle.network", NETWORK, 1),
    ]
    weights = [first_weights(one) for one in made]
    assert not any(torch.equal(weights[i], weights[j]) for i in range(4) for j in range(i))
    assert torch.equal(first_weights(owner.network("oracle.network", NETWORK, 1)), weights[3])


def test_the_random_numbers_of_the_program_stay_as_they_are(tmp_path: Path) -> None:
    owner = Owner(make_task(), make_paths(tmp_path), FLOAT32)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    owner.network("oracle.network", NETWORK, 0)
    assert torch.equal(torch.rand(3), expected)
