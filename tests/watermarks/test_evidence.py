from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mimicbench.errors import UserError
from mimicbench.mentors import NetworkMentor
from mimicbench.watermarks import Evidence, Triggers
from mimicbench.watermarks.evidence import FILE, Message, convolutions
from tests.making import pictures
from tests.standins import FLOAT32, SpyMentor

TRIGGERS = Triggers("content", 3, 0.5, pictures(7, 4), np.array([0, 1, 2, 3, 4, 0, 1]))
MESSAGE = Message("uchida", 4, 0.578, np.array([True, False, True]), 0, np.array([2, 3, 1, 1]))


@pytest.mark.parametrize("evidence", [TRIGGERS, MESSAGE], ids=["triggers", "message"])
def test_what_is_kept_is_what_is_read(evidence: Evidence, tmp_path: Path) -> None:
    evidence.save(tmp_path)
    read = Evidence.read(tmp_path / FILE)
    assert type(read) is type(evidence)
    assert vars(read).keys() == vars(evidence).keys()
    for name, value in vars(evidence).items():
        found = getattr(read, name)
        assert type(found) is type(value)
        assert np.array_equal(found, value)
    assert read.size == evidence.size


@pytest.mark.parametrize("content", [b"", b"PK", "other", "half"])
def test_what_is_no_key_file_is_refused(content: bytes | str, tmp_path: Path) -> None:
    file = tmp_path / FILE
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content == "other":
        np.savez(file, kind="a song", images=np.zeros(3))
    elif content == "half":
        np.savez(file, kind="triggers", images=np.zeros(3))
    with pytest.raises(UserError, match=r"is no key file of a mark; give the watermark\.npz that a job"):
        Evidence.read(file)


@pytest.mark.parametrize(
    "unsound",
    [
        replace(TRIGGERS, images=TRIGGERS.images[..., 0]),
        replace(TRIGGERS, images=TRIGGERS.images.astype(np.float32)),
        replace(TRIGGERS, labels=TRIGGERS.labels[:3]),
        replace(TRIGGERS, labels=TRIGGERS.labels - 1),
        replace(TRIGGERS, labels=TRIGGERS.labels.astype(float)),
        replace(TRIGGERS, images=TRIGGERS.images[:0], labels=TRIGGERS.labels[:0]),
        replace(TRIGGERS, threshold=0.0),
        replace(TRIGGERS, key=0.5),
        replace(MESSAGE, bits=np.zeros((2, 2), bool)),
        replace(MESSAGE, layer=-1),
        replace(MESSAGE, shape=np.zeros((2, 2), np.int64)),
    ],
)
def test_a_key_file_with_nonsense_in_it_is_refused(unsound: Evidence, tmp_path: Path) -> None:
    unsound.save(tmp_path)
    with pytest.raises(UserError, match="is no key file of a mark"):
        Evidence.read(tmp_path / FILE)


def test_a_key_file_that_is_missing_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"watermark\.npz does not exist"):
        Evidence.read(tmp_path / FILE)


def test_triggers_are_scored_by_what_a_suspect_says() -> None:
    suspect = SpyMentor()
    images = torch.from_numpy(TRIGGERS.images).permute(0, 3, 1, 2) / 255
    said = suspect(images).argmax(1).numpy()
    assert TRIGGERS.score(suspect) == pytest.approx((said == TRIGGERS.labels).mean())


def test_a_message_is_read_from_the_mean_over_the_filters() -> None:
    network = nn.Sequential(nn.Conv2d(3, 2, 1), nn.Flatten(), nn.Linear(32, 2))
    mean = (network[0].weight[0] + network[0].weight[1]).flatten() / 2
    matrix = torch.randn(3, 3, generator=torch.Generator().manual_seed(4))
    right = [bool(row @ mean > 0) == bit for row, bit in zip(matrix, MESSAGE.bits, strict=True)]
    assert MESSAGE.score(NetworkMentor(network, ("a", "b"), FLOAT32)) == pytest.approx(sum(right) / 3)
    assert convolutions(network) == [network[0]]
