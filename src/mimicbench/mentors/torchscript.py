"""A mentor in a TorchScript file."""

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mimicbench.errors import UserError
from mimicbench.fingerprint import file_content, fingerprint
from mimicbench.hardware import Hardware
from mimicbench.mentors.black_box import BlackBox, first_line, trusted
from mimicbench.mentors.exchange import Exchange, ModelIO, Port, settled
from mimicbench.paths import Paths
from mimicbench.tasks import Task


class ScriptMentor(BlackBox):
    """Runs the program of a file.

    Args:
        task: What it does.
        device: Where it runs.
        program: Images to a tensor, a sequence of them, or a dictionary.
        gives: Which of them answers: its name, or its number from 0; None for the only one.
        exchange: The model's language.
        fingerprint: Names model and language.
    """

    def __init__(
        self, task: Task, device: torch.device, program: Any, gives: str | None, exchange: Exchange, fingerprint: str
    ) -> None:
        super().__init__(task, device, exchange, fingerprint)
        self._program = program
        self._gives = gives

    def _run(self, sent: Tensor) -> Tensor:
        answers: Any = self._program(sent)
        if isinstance(answers, Tensor):
            answers = {"0": answers}
        elif isinstance(answers, list | tuple):
            answers = {str(number): one for number, one in enumerate(answers)}
        offered = {name: one for name, one in answers.items() if isinstance(one, Tensor)}
        if self._gives not in offered and not (self._gives is None and len(offered) == 1):
            raise UserError(f"The mentor answers with {', '.join(offered)}; name one of them as mentor.io.output.")
        one: Tensor = offered[self._gives] if self._gives is not None else next(iter(offered.values()))
        return one


def torchscript(task: Task, paths: Paths, hardware: Hardware, *, path: Path, trust: bool, io: ModelIO) -> ScriptMentor:
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
    named = fingerprint(file_content(path), vars(exchange), io.output, hardware.device.type)
    return ScriptMentor(task, hardware.device, program, io.output, exchange, named)
