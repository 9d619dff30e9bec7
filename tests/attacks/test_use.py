"""A student that learns labels alone (``attack.use=label``)."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from mimicbench.attacks import Attack
from mimicbench.networks.vgg import VGG16
from mimicbench.oracles import Oracle
from mimicbench.student import Student
from tests.oracles.protected import make_oracle, spy
from tests.oracles.test_contract import KEEPERS
from tests.standins import (
    attached,
    epoch_of,
    make_composite,
    make_pool,
    make_recipe,
    make_standard,
    make_trainer,
)

RECIPE = make_recipe(batch_size=16, learning_rate=0.05, momentum=0.9)
COMPOSITE = {"samples_per_epoch": 96, "chunk_size": 48, "recipe": RECIPE}


def learned(oracle: Oracle, folder: Path, use: str) -> dict[str, Tensor]:
    """The weights of a student after two epochs of composites."""
    attack = attached(make_composite(make_pool(60, 32), epochs=2, use=use, **COMPOSITE), folder / "replies.npy", oracle)
    torch.manual_seed(7)
    student = Student(VGG16(10, 32, 0.1, width=0.1, batch_norm=True), RECIPE, attack.steps, 10)
    trainer = make_trainer(2, limit_val_batches=0, reload_dataloaders_every_n_epochs=1, logger=False)
    trainer.fit(student, datamodule=attack)
    return student.network.state_dict()


@pytest.fixture(scope="module")
def from_labels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tensor]:
    """What a student of ``oracle=label`` learns."""
    folder = tmp_path_factory.mktemp("label")
    mentor = spy()
    weights = learned(make_oracle("label", folder, mentor=mentor), folder, "reply")
    assert len(mentor(mentor.asked).argmax(1).unique()) == 10
    return weights


@pytest.mark.parametrize("name", sorted(KEEPERS))
def test_a_protection_that_keeps_the_argmax_changes_no_bit_of_it(
    name: str, from_labels: dict[str, Tensor], tmp_path: Path
) -> None:
    # The paper's claim in section 2.5.
    oracle = make_oracle(name, tmp_path)
    weights = learned(oracle, tmp_path, "label")
    assert all(torch.equal(weights[key], value) for key, value in from_labels.items())


@pytest.mark.parametrize("name", ["gaussian", "mad", "mad_extreme", "shuffled", "softmax"])
def test_what_does_change_a_student_is_seen(name: str, from_labels: dict[str, Tensor], tmp_path: Path) -> None:
    oracle = make_oracle(name, tmp_path)
    weights = learned(oracle, tmp_path, "label" if name in ("gaussian", "mad_extreme") else "reply")
    assert not all(torch.equal(weights[key], value) for key, value in from_labels.items())


def attacks(use: str) -> list[Attack]:
    pool = make_pool(40, 32)
    return [
        make_composite(pool, use=use, samples_per_epoch=40),
        make_composite(pool, use=use, samples_per_epoch=40, refresh="once"),
        make_standard(pool, use=use),
    ]


@pytest.mark.parametrize("kind", [0, 1, 2], ids=["composite", "composite-once", "standard"])
def test_labels_are_those_of_the_replies(kind: int, tmp_path: Path) -> None:
    whole, alone = (
        attached(attacks(use)[kind], tmp_path / "replies.npy", make_oracle("gaussian", tmp_path, mentor=spy()))
        for use in ("reply", "label")
    )
    (images, replies), (same_images, labels) = epoch_of(whole, 0), epoch_of(alone, 0)
    assert torch.equal(images, same_images)
    assert labels.dtype == replies.dtype
    assert torch.equal(labels, torch.nn.functional.one_hot(replies.argmax(1), 10).float())
    assert not torch.equal(labels, replies)
