import io
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import lightning as L  # noqa: N812
import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from torch import nn

from mimicbench.errors import UserError
from mimicbench.learner import Learner
from mimicbench.mentors.checkpoint import load_network
from tests.making import cut
from tests.standins import ListedChunks, make_recipe, make_trainer

DAMAGED = "is damaged or no checkpoint|cannot be read as a checkpoint"
UNSAFE = "holds more than tensors and plain containers"


def make_network(inputs: int = 3) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(inputs, 2))


def state(network: nn.Module) -> dict[str, Any]:
    return {f"network.{name}": value for name, value in network.state_dict().items()}


def saved(content: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


def refused(file: Path) -> str:
    network = make_network()
    before = [parameter.clone() for parameter in network.parameters()]
    with pytest.raises(UserError) as caught:
        load_network(network, file, "mentor.checkpoint")
    message = str(caught.value)
    assert message.startswith(f"mentor.checkpoint={file} ")
    assert "\n" not in message
    assert len(message) < 300 + len(str(file))
    assert caught.value.__cause__ is None
    assert all(torch.equal(now, then) for now, then in zip(network.parameters(), before, strict=True))
    return message


@pytest.mark.parametrize("schedule", ["step", "one_cycle"])
def test_what_lightning_saved_of_a_learner_is_loaded(tmp_path: Path, schedule: str) -> None:
    learner = Learner(make_network(), make_recipe(batch_size=4, learning_rate=0.1, schedule=schedule), 4, 2)
    callbacks = [L.pytorch.callbacks.ModelCheckpoint(tmp_path, "last"), L.pytorch.callbacks.Timer()]
    trainer = make_trainer(2, callbacks=callbacks, enable_checkpointing=True)
    trainer.fit(learner, ListedChunks(torch.rand(8, 3, 1, 1), torch.eye(2).repeat(4, 1), 4))
    network = make_network()
    load_network(network, tmp_path / "last.ckpt", "mentor.checkpoint")
    assert all(map(torch.equal, network.state_dict().values(), learner.network.state_dict().values()))


def test_a_missing_file(tmp_path: Path) -> None:
    assert re.search("is not a file; give the path of a checkpoint", refused(tmp_path / "none.ckpt"))


def test_a_folder(tmp_path: Path) -> None:
    assert re.search("is not a file", refused(tmp_path))


@pytest.mark.parametrize(
    "content",
    [b"", b"version https://git-lfs.github.com/spec/v1\n", b"<html>404</html>", bytes(range(256)), b"PK\x03\x04"],
    ids=["empty", "lfs pointer", "web page", "bytes", "start of a zip"],
)
def test_a_file_that_is_no_checkpoint(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "mentor.ckpt").write_bytes(content)
    assert re.search(DAMAGED, refused(tmp_path / "mentor.ckpt"))


@given(st.binary(max_size=300))
@example(b"hello world")
@example(pickle.dumps(1))
@example(saved({"state_dict": {3: 4}}))
@example(saved({"state_dict": {"network.1.weight": 1, "network.1.bias": "x"}}))
@example(saved([1]))
def test_any_bytes_get_one_sentence(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "any.ckpt"
    file.write_bytes(content)
    assert re.search("any.ckpt", refused(file))


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("new", [True, False])
def test_a_truncated_checkpoint(share: float, new: bool, tmp_path: Path) -> None:
    file = tmp_path / "mentor.ckpt"
    file.write_bytes(saved({"state_dict": state(make_network())}, _use_new_zipfile_serialization=new))
    load_network(make_network(), file, "mentor.checkpoint")
    assert re.search(DAMAGED, refused(cut(file, share)))


def test_a_zip_file_of_something_else(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "mentor.ckpt", "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert re.search(DAMAGED, refused(tmp_path / "mentor.ckpt"))


class Creates:
    """Creates a file where it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.file,)


class Runs(Creates):
    def __reduce__(self) -> tuple[Any, ...]:
        return eval, (f"open({str(self.file)!r}, 'w')",)


@pytest.mark.parametrize("kind", [Creates, Runs])
@pytest.mark.parametrize("form", ["zip", "old", "pickle"])
def test_a_checkpoint_that_would_run_code_runs_none(kind: type[Creates], form: str, tmp_path: Path) -> None:
    trap, file = tmp_path / "trap", tmp_path / "mentor.ckpt"
    content = {"state_dict": state(make_network()), "hyper_parameters": kind(trap)}
    if form == "pickle":
        file.write_bytes(pickle.dumps(content, protocol=2))
    else:
        file.write_bytes(saved(content, _use_new_zipfile_serialization=form == "zip"))
    assert re.search(UNSAFE, refused(file))
    assert not trap.exists()
    torch.load(file, weights_only=False) if form != "pickle" else pickle.loads(file.read_bytes())  # noqa: S301
    assert trap.exists()  # the trap works


@pytest.mark.parametrize(
    "extra", [OmegaConf.create({"a": 1}), np.zeros(3), make_network()], ids=["DictConfig", "array", "module"]
)
def test_a_checkpoint_that_needs_unsafe_loading(extra: Any, tmp_path: Path) -> None:
    (tmp_path / "mentor.ckpt").write_bytes(saved({"state_dict": state(make_network()), "hyper_parameters": extra}))
    said = refused(tmp_path / "mentor.ckpt")
    assert re.search(UNSAFE, said)
    assert "save its state_dict alone" in said


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            {"state_dict": state(make_network(4))},
            r"of another architecture .* 1.weight, \[2, 4\] there and \[2, 3\] here",
        ),
        ({"state_dict": {}}, "they differ in 1.bias"),
        ({"state_dict": state(make_network()) | {"network.2.weight": torch.ones(1)}}, "they differ in 2.weight"),
        ({"weights": state(make_network())}, "holds no state_dict"),
        (torch.ones(3), "holds no state_dict"),
    ],
)
def test_a_checkpoint_of_something_else(content: Any, reason: str, tmp_path: Path) -> None:
    (tmp_path / "mentor.ckpt").write_bytes(saved(content))
    assert re.search(reason, refused(tmp_path / "mentor.ckpt"))


@pytest.mark.parametrize("prefix", ["", "network."])
@pytest.mark.parametrize("wrapped", [True, False])
def test_a_state_dict_is_enough(prefix: str, wrapped: bool, tmp_path: Path) -> None:
    source, target = make_network(), make_network()
    weights = source.state_dict(prefix=prefix)
    (tmp_path / "mentor.ckpt").write_bytes(saved({"state_dict": weights} if wrapped else weights))
    load_network(target, tmp_path / "mentor.ckpt", "mentor.checkpoint")
    assert all(map(torch.equal, target.state_dict().values(), source.state_dict().values()))
