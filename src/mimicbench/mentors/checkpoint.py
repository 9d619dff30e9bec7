"""Networks from checkpoints, without running what a checkpoint may carry."""

import pickle
import re
from pathlib import Path

import torch
from torch import Tensor, nn

from mimicbench.errors import UserError

_PREFIX = "network."
_NAMES_A_CLASS = re.compile(r"\bGLOBAL\b|Unsupported class")  # how PyTorch says what it did not load


def load_network(
    network: nn.Module, checkpoint: Path, key: str, remedy: str = "configure the network that it was saved from"
) -> None:
    """Load the weights of a Lightning checkpoint's ``network``, or a bare ``state_dict`` of one, in place.

    Args:
        network: A network of the checkpoint's architecture.
        checkpoint: What a :class:`~mimicbench.learner.Learner` saved: a mentor, or a student.
        key: The configuration key that named the file, for error messages.
        remedy: What to do where the architecture differs, for the same.

    Raises:
        UserError: The file is missing or damaged, holds more than tensors and plain containers, or belongs to another
            architecture.
    """
    if not checkpoint.is_file():
        raise UserError(f"{key}={checkpoint} is not a file; give the path of a checkpoint.")
    try:
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can make the unpickler fail in any way
        if isinstance(error, pickle.UnpicklingError) and _NAMES_A_CLASS.search(str(error)):
            reason = "holds more than tensors and plain containers and is not loaded, for it could run code; "
            raise UserError(f"{key}={checkpoint} {reason}save its state_dict alone.") from None
        raise UserError(f"{key}={checkpoint} is damaged or no checkpoint; save it again.") from None
    weights = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(weights, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in weights.items()
    ):
        raise UserError(f"{key}={checkpoint} holds no state_dict; give a checkpoint of a network.")
    own = {name.removeprefix(_PREFIX): value for name, value in weights.items() if name.startswith(_PREFIX)} or weights
    expected = network.state_dict()
    different = sorted(expected.keys() ^ own.keys()) or [
        f"{name}, {list(value.shape)} there and {list(expected[name].shape)} here"
        for name, value in own.items()
        if value.shape != expected[name].shape
    ]
    output = next(reversed(expected))
    if output in own and own[output].shape != expected[output].shape and not own.keys() ^ expected.keys():
        count, wanted = (len(one[output]) for one in (own, expected))
        raise UserError(f"{key}={checkpoint} tells {count} classes apart, and {wanted} are asked for.")
    if different:
        raise UserError(
            f"{key}={checkpoint} is of another architecture than configured: they differ in {different[0]}; {remedy}."
        )
    network.load_state_dict(own)
