"""A mentor in a TorchScript file."""

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mimicbench.errors import UserError
from mimicbench.fingerprint import fingerprint
from mimicbench.hardware import Hardware
from mimicbench.mentors.black_box import BlackBox, first_line
from mimicbench.mentors.exchange import ModelIO, Port, settled
from mimicbench.mentors.model_file import content, trusted
from mimicbench.paths import Paths
from mimicbench.tasks import Task


def torchscript(task: Task, paths: Paths, hardware: Hardware, *, path: Path, trust: bool, io: ModelIO) -> BlackBox:
    """A mentor from a file of ``torch.jit.save``. It says nothing of shapes, so that the configuration must.

    A TorchScript file is a program that can write files too, so that its maker must be trusted.

    Args:
        task: What it does; classes in the order of its outputs.
        paths: Not used.
        hardware: Where it runs.
        path: The file.
        trust: Whether its maker is trusted, for whoever loads it may run what they wrote.
        io: Of its input and output.

    Raises:
        UserError: The file is missing or damaged, or the configuration does not say what it must.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that TorchScript goes; there are such files
            program = torch.jit.load(str(trusted(path, trust)), map_location=hardware.device).eval()
    except UserError:
        raise
    except Exception as error:  # a damaged file can make the loader fail in any way
        raise UserError(f"mentor.path={path} is no TorchScript that can be loaded: {first_line(error)}.") from None
    exchange = settled(io, Port(io.input or "input"), Port(io.output or "0"), task.size, len(task.classes), path)
    named = fingerprint(content(path), vars(exchange), io.output, hardware.device.type)

    def run(sent: Tensor) -> Tensor:
        return _output(program(sent), io.output)

    return BlackBox(task, hardware.device, run, exchange, named)


def _output(answers: Any, wanted: str | None) -> Tensor:
    """One of what a program answers: a tensor, a sequence of them (named by their numbers), or a dictionary.

    Raises:
        UserError: There is no such one, or there are several and none is named.
    """
    if isinstance(answers, Tensor):
        answers = {"0": answers}
    elif isinstance(answers, list | tuple):
        answers = {str(number): one for number, one in enumerate(answers)}
    offered = {name: one for name, one in answers.items() if isinstance(one, Tensor)}
    found: list[Tensor] = [one for name, one in offered.items() if wanted in (None, name)]
    if len(found) != 1:
        raise UserError(f"The mentor answers with {', '.join(offered)}; name one of them as mentor.io.output.")
    return found[0]
