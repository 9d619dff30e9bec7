"""A mentor in an ONNX file."""

import logging
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mimicbench.errors import UserError
from mimicbench.fingerprint import fingerprint
from mimicbench.hardware import Hardware
from mimicbench.mentors.black_box import BlackBox, first_line
from mimicbench.mentors.exchange import ModelIO, Port, port, settled
from mimicbench.mentors.model_file import content, existing
from mimicbench.paths import Paths
from mimicbench.tasks import Task

_log = logging.getLogger(__name__)

_TYPES = {
    "tensor(float)": torch.float32,
    "tensor(uint8)": torch.uint8,
    "tensor(int64)": torch.int64,
    "tensor(int32)": torch.int32,
    "tensor(float16)": torch.float16,
    "tensor(double)": torch.float64,
}


def onnx(task: Task, paths: Paths, hardware: Hardware, *, path: Path, io: ModelIO) -> BlackBox:
    """A mentor from an ONNX file; needs ``pip install 'mimicbench[onnx]'``.

    It runs with ONNX Runtime, on the GPU where the job runs there and the runtime can, else on the CPU. A student on a
    GPU learns while a mentor on the CPU answers; on the same processor one would wait for the other all the same.

    Args:
        task: What it does; classes in the order of its outputs.
        paths: Not used.
        hardware: Where the job runs.
        path: The file.
        io: What the file does not say of its input and output.

    Raises:
        UserError: ONNX Runtime is not installed; the file is missing or damaged, or does not say what it must.
    """
    try:
        import onnxruntime
    except ImportError:
        raise UserError("mentor=onnx needs ONNX Runtime: pip install 'mimicbench[onnx]'.") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors, which are raised as well
    providers: list[Any] = ["CPUExecutionProvider"]
    on_gpu = hardware.device.type == "cuda"
    if on_gpu and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        providers.insert(0, ("CUDAExecutionProvider", {"device_id": hardware.device.index or 0}))
    file = existing(path)
    try:
        session = onnxruntime.InferenceSession(str(file), options, providers=providers)
    except Exception as error:  # the runtime's own kinds share no base
        raise UserError(f"mentor.path={path} is no model that ONNX Runtime can load: {first_line(error)}.") from None
    takes = port([_port(one) for one in session.get_inputs()], io.input, "mentor.io.input", path)
    gives = port([_port(one) for one in session.get_outputs()], io.output, "mentor.io.output", path)
    exchange = settled(io, takes, gives, task.size, len(task.classes), path)
    named = fingerprint(content(file), vars(exchange), takes.name, gives.name, session.get_providers())

    def run(sent: Tensor) -> Tensor:
        (answers,) = session.run([gives.name], {takes.name: sent.cpu().numpy()})
        return torch.from_numpy(answers)

    elsewhere = on_gpu and "CUDAExecutionProvider" not in session.get_providers()
    if elsewhere:
        _log.warning("%s runs on the CPU; pip install onnxruntime-gpu for the GPU.", path)
    return BlackBox(task, hardware.device, run, exchange, named, elsewhere=elsewhere)


def _port(one: Any) -> Port:
    shape = tuple(length if isinstance(length, int) and length > 0 else None for length in one.shape)
    return Port(one.name, _TYPES.get(one.type, one.type), shape or None)  # () where its rank is not known
