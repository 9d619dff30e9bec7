"""A mentor in a ``.pt2`` file, as ``torch.export.save`` writes it."""

import os
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram

from mimicbench.errors import UserError
from mimicbench.fingerprint import fingerprint
from mimicbench.hardware import Hardware
from mimicbench.mentors.black_box import BlackBox, first_line
from mimicbench.mentors.exchange import ModelIO, Port, port, settled
from mimicbench.mentors.model_file import content, trusted
from mimicbench.paths import Paths
from mimicbench.tasks import Task

_TENSORS_ALONE = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
_OBJECTS = ("custom_obj_", "opaque_obj_")  # constants that PyTorch unpickles without a question


def torch_export(task: Task, paths: Paths, hardware: Hardware, *, path: Path, trust: bool, io: ModelIO) -> BlackBox:
    """A mentor from a file of ``torch.export``.

    PyTorch's loader evaluates expressions of the file, so that its maker must be trusted; pickled objects other than
    tensors are refused all the same.

    Args:
        task: What it does; classes in the order of its outputs.
        paths: Not used.
        hardware: Where it runs.
        path: The file.
        trust: Whether its maker is trusted, for whoever loads it may run what they wrote.
        io: What the file does not say of its input and output.

    Raises:
        UserError: The file is missing, damaged or unsafe, or does not say what it must.
    """
    program = _loaded(trusted(path, trust))
    signature = program.graph_signature
    inputs = _ports(program, signature.user_inputs)
    if len(inputs) != 1:
        raise UserError(
            f"{path} takes {'; '.join(map(str, inputs))}; only programs that take images alone are supported."
        )
    (takes,) = inputs
    offered = _ports(program, signature.user_outputs)
    gives = port(offered, io.output, "mentor.io.output", path)
    exchange = settled(io, takes, gives, task.size, len(task.classes), path)
    named = fingerprint(content(path), vars(exchange), takes.name, gives.name, hardware.device.type)
    module, place = program.module().to(hardware.device), offered.index(gives)

    def run(sent: Tensor) -> Tensor:
        return _tensors(module(sent))[place]

    return BlackBox(task, hardware.device, run, exchange, named)


def _loaded(path: Path) -> ExportedProgram:
    try:
        with zipfile.ZipFile(path) as archive:
            parts = [part for name in archive.namelist() for part in name.split("/")]
        if any(part.startswith(_OBJECTS) for part in parts):
            raise UserError(f"mentor.path={path} holds objects besides tensors and is not loaded.")
        with _tensors_alone(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.export.load(path)
    except UserError:
        raise
    except Exception as error:  # a damaged file can make the loader fail in any way
        raise UserError(
            f"mentor.path={path} is no program of torch.export that can be loaded: {first_line(error)}."
        ) from None


@contextmanager
def _tensors_alone() -> Iterator[None]:
    """Make every ``torch.load`` refuse what is no tensor; the loader would try again and unpickle anything."""
    before = os.environ.get(_TENSORS_ALONE)
    os.environ[_TENSORS_ALONE] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_TENSORS_ALONE]
        else:
            os.environ[_TENSORS_ALONE] = before


def _ports(program: ExportedProgram, names: tuple[Any, ...]) -> list[Port]:
    values = {node.name: node.meta.get("val") for node in program.graph.nodes}
    found = []
    for name in names:
        value = values.get(name)
        if isinstance(value, Tensor):
            shape = tuple(length if isinstance(length, int) else None for length in value.shape)
            found.append(Port(str(name), value.dtype, shape))
    return found


def _tensors(answers: Any) -> list[Tensor]:
    """All in a nested answer, in the order in which the file names them."""
    flat, _ = torch.utils._pytree.tree_flatten(answers)
    return [one for one in flat if isinstance(one, Tensor)]
