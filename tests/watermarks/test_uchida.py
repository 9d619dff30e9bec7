from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from mimicbench.errors import UserError
from mimicbench.mentors import Mentor, NetworkMentor
from mimicbench.mentors.trained import trained
from mimicbench.networks.vgg import VGG16
from mimicbench.watermarks.uchida import Uchida
from tests.making import make_paths
from tests.standins import FLOAT32, make_recipe, make_task


def mark(folder: Path, key: int = 0, layer: int = 7, bits: int = 64, threshold: float | None = 0.6) -> Uchida:
    own = {"name": "mark", "threshold": threshold, "bits": bits, "layer": layer, "weight": 0.01}
    return Uchida(make_task(), make_paths(folder), key=key, **own)


def network(width: float = 0.1, seed: int = 0) -> VGG16:
    torch.manual_seed(seed)
    return VGG16(3, 32, 0.0, width=width, batch_norm=True)


def suspect(network: nn.Module) -> Mentor:
    return NetworkMentor(network, ("a", "b", "c"), FLOAT32)


def test_the_penalty_is_that_of_the_source_written_out(tmp_path: Path) -> None:
    carrier, one = network(), mark(tmp_path, key=3)
    weights = [module.weight for module in carrier.modules() if isinstance(module, nn.Conv2d)][7]
    mean = sum(weights[number] for number in range(len(weights))).flatten() / len(weights)  # over the filters
    matrix = torch.randn(64, len(mean), generator=torch.Generator().manual_seed(3))
    expected = 0.01 * sum(
        F.binary_cross_entropy((row @ mean).sigmoid(), bit) for row, bit in zip(matrix, one._message, strict=True)
    )
    torch.testing.assert_close(one.penalty(carrier), expected, rtol=1e-4, atol=1e-5)


def test_the_message_is_written_by_the_penalty_and_read_by_its_key_alone(tmp_path: Path) -> None:
    carrier, own, other = network(), mark(tmp_path), mark(tmp_path, key=1)
    for one in (own, other):
        one.carried_by(carrier)
    optimiser = torch.optim.SGD(carrier.parameters(), lr=1.0)
    for _ in range(300):
        loss = own.penalty(carrier)
        assert loss is not None
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    assert own.evidence.score(suspect(carrier)) == 1.0
    for stranger in (other.evidence.score(suspect(carrier)), own.evidence.score(suspect(network(seed=1)))):
        assert stranger is not None
        assert 0.25 < stranger < 0.75  # four standard deviations of 64 bits


def test_it_is_undefined_for_another_architecture(tmp_path: Path) -> None:
    one = mark(tmp_path)
    one.carried_by(network())
    assert one.evidence.score(suspect(network(width=0.2))) is None
    assert one.evidence.score(suspect(nn.Sequential(nn.Flatten(), nn.Linear(3072, 3)))) is None


def test_the_middle_convolution_is_taken_where_none_is_named(tmp_path: Path) -> None:
    own = Uchida(make_task(), make_paths(tmp_path), name="m", key=0, threshold=0.6, bits=64, layer=None, weight=0.01)
    own.carried_by(network())
    assert own.evidence.layer == 6
    torch.testing.assert_close(own.penalty(network()), mark(tmp_path, layer=6).penalty(network()), rtol=0, atol=0)


def test_a_layer_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"watermark\.layer=13, but the mentor has 13 convolutions"):
        mark(tmp_path, layer=13).penalty(network())


def test_keys_and_lengths_name_it(tmp_path: Path) -> None:
    marks = [mark(tmp_path), mark(tmp_path, key=1), mark(tmp_path, bits=32), mark(tmp_path, layer=3)]
    assert len({one.fingerprint for one in marks}) == 4
    assert mark(tmp_path).fingerprint == marks[0].fingerprint


def test_a_mentor_learns_the_message_beside_its_task(tmp_path: Path) -> None:
    recipe = make_recipe(batch_size=8, learning_rate=0.02, schedule="one_cycle")
    own: dict[str, Any] = {"seed": 0, "max_epochs": 12, "samples_per_epoch": None, "recipe": recipe, "augment": None}
    own |= {"network": {"_target_": "mimicbench.networks.vgg.VGG16", "width": 0.1, "batch_norm": True}}
    own |= {"checkpoint": None, "checkpoint_minutes": 5.0}
    paths = make_paths(tmp_path)
    one = Uchida(make_task(20), paths, name="uchida", key=0, threshold=0.6, bits=32, layer=7, weight=0.1)
    marked, plain = trained(make_task(20), paths, FLOAT32, one, **own), trained(make_task(20), paths, FLOAT32, **own)
    unmarked = one.evidence.score(plain)
    assert one.evidence.score(marked) == 1.0
    assert unmarked is not None
    assert unmarked < 0.85  # four standard deviations of 32 bits


def test_the_threshold_is_the_owners_or_follows_from_the_bits(tmp_path: Path) -> None:
    assert mark(tmp_path, threshold=0.7).threshold == 0.7
    assert mark(tmp_path, bits=256, threshold=None).threshold == 148 / 256
    with pytest.raises(UserError, match=r"watermark.bits=4 is too few"):
        mark(tmp_path, bits=4, threshold=None)
