"""The Open Inference Protocol, version 2 over REST, which Triton, KServe and MLServer share: bytes of its messages.

Source: https://github.com/kserve/open-inference-protocol, with the binary tensor data extension.
"""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mimicbench.mentors.exchange import Port

HEADER_LENGTH = "Inference-Header-Content-Length"
"""The header that says how many bytes of a message are JSON; numbers follow."""

BINARY = "binary_tensor_data"
"""The extension that a server names whose tensors may be bytes."""

_TYPES: dict[str, torch.dtype] = {
    "FP32": torch.float32,
    "FP16": torch.float16,
    "FP64": torch.float64,
    "UINT8": torch.uint8,
    "INT32": torch.int32,
    "INT64": torch.int64,
}
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
_NAMES = {dtype: name for name, dtype in _TYPES.items()}


class MalformedReplyError(Exception):
    """A reply that cannot be read, or answers something else."""


@dataclass(frozen=True)
class Message:
    """What is sent or received.

    Attributes:
        body: Its bytes.
        headers: Besides those of every HTTP message.
    """

    body: bytes
    headers: dict[str, str]


def ports(offered: Any) -> list[Port]:
    """The inputs or outputs in a model's metadata; none where a server tells none.

    Raises:
        MalformedReplyError: It is no such list.
    """
    found = []
    try:
        for one in offered if isinstance(offered, list) else []:
            shape = tuple(
                length if isinstance(length, int) and length > 0 else None for length in one.get("shape") or ()
            )
            kind = str(one.get("datatype"))
            found.append(Port(str(one["name"]), _TYPES.get(kind, kind), shape or None))
    except _UNREADABLE as error:
        raise MalformedReplyError(f"it cannot be read ({type(error).__name__})") from None
    return found


def request(number: str, takes: str, gives: str, images: Tensor, binary: bool) -> Message:
    """Ask about a batch.

    Args:
        number: Names the request; the reply repeats it.
        takes: Name of the input.
        gives: Name of the output.
        images: float32 or uint8 [B, …].
        binary: Whether tensors are bytes; else they are lists of numbers.
    """
    values = images.cpu().numpy()
    put: dict[str, Any] = {"name": takes, "shape": list(images.shape), "datatype": _NAMES[images.dtype]}
    asked: dict[str, Any] = {"name": gives}
    raw = b""
    if binary:
        raw = values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
        put["parameters"] = {"binary_data_size": len(raw)}
        asked["parameters"] = {"binary_data": True}
    else:
        put["data"] = values.ravel().tolist()
    head = json.dumps({"id": number, "inputs": [put], "outputs": [asked]}).encode()
    kind = "application/octet-stream" if binary else "application/json"
    headers = {"Content-Type": kind} | ({HEADER_LENGTH: str(len(head))} if binary else {})
    return Message(head + raw, headers)


def answered(number: str, gives: str, body: bytes, header_length: str | None) -> Tensor:
    """What a reply says.

    Args:
        number: Of the request.
        gives: Name of the output, wherever it stands among others.
        body: The reply's.
        header_length: Its header of that name, where its tensors are bytes.

    Raises:
        MalformedReplyError: It cannot be read, is of another request, or lacks the output.
    """
    try:
        end = len(body) if header_length is None else int(header_length)
        head, raw = json.loads(body[:end]), body[end:]
        if head.get("id") not in (number, None, ""):
            raise MalformedReplyError(f"it is the reply to another request, {head['id']!r}")
        place = 0
        for one in head["outputs"]:
            length = int((one.get("parameters") or {}).get("binary_data_size", 0))
            if one["name"] == gives:
                return _tensor(one, raw[place : place + length] if "data" not in one else None)
            place += length
    except MalformedReplyError:
        raise
    except _UNREADABLE as error:
        raise MalformedReplyError(f"it cannot be read ({type(error).__name__})") from None
    raise MalformedReplyError(f"it has no output {gives!r}")


def _tensor(one: dict[str, Any], raw: bytes | None) -> Tensor:
    dtype = _TYPES.get(one["datatype"])
    if dtype is None:
        raise MalformedReplyError(f"its output is of the type {one['datatype']}")
    kind = torch.empty(0, dtype=dtype).numpy().dtype
    if raw is None:
        values = np.array(one["data"], dtype=np.float64).ravel().astype(kind)
    else:
        values = np.frombuffer(raw, dtype=kind.newbyteorder("<")).astype(kind)
    shape = [int(length) for length in one["shape"]]
    if values.size != int(np.prod(shape)):
        raise MalformedReplyError(f"it holds {values.size} numbers for the shape {shape}")
    return torch.from_numpy(values.reshape(shape))
