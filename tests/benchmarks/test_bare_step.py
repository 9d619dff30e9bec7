import copy

import pytest
import torch

from mimicbench.benchmarks.bare_step import bare_step
from mimicbench.learner import Learner
from mimicbench.networks.vgg import VGG16
from tests.standins import BFLOAT16, FLOAT32, ListedChunks, make_recipe, make_trainer


@pytest.mark.parametrize("hardware", [FLOAT32, BFLOAT16], ids=lambda hardware: hardware.precision)
def test_it_does_what_the_job_does(hardware) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    network = VGG16(5, 32, 0.0, width=0.05, batch_norm=True)
    other = hardware.fast(copy.deepcopy(network))
    images = torch.rand(24, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    targets = torch.rand(24, 5).softmax(1)
    recipe = make_recipe(batch_size=8, learning_rate=0.1, weight_decay=1e-3)
    step = bare_step(network, recipe, hardware, images[:8], targets[:8])
    for batch, target in zip(images.split(8), targets.split(8), strict=True):
        step(batch, target)
    trainer = make_trainer(precision=hardware.precision)
    trainer.fit(Learner(other, recipe, 3, 5), ListedChunks(images, targets, 24))
    for (name, one), two in zip(network.state_dict().items(), other.state_dict().values(), strict=True):
        assert torch.equal(one, two), name
