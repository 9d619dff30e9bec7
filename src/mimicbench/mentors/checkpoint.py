"""Networks from checkpoints, without running what a checkpoint may carry."""

import pickle
from pathlib import Path

import torch
from torch import nn

from mimicbench.errors import UserError

_PREFIX = "network."


def load_network(network: nn.Module, checkpoint: Path, key: str) -> None:
    """Load the weights of a Lightning checkpoint's ``network`` in place.

    Args:
        network: A network of the checkpoint's architecture.
        checkpoint: What a :class:`~mimicbench.learner.Learner` saved: a mentor, or a student.
        key: The configuration key that named the file, for error messages.

    Raises:
        UserError: The file is missing or damaged, holds more than tensors and plain containers, or belongs to another
            architecture.
    """
    if not checkpoint.is_file():
        raise UserError(f"{key}={checkpoint} is not a file; give the path of a checkpoint.")
    try:
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "weights" in str(error).lower() and "unsupported" in str(error).lower():
            reason = "holds more than tensors and plain containers and is not loaded, for it could run code"
        else:
            reason = "is damaged or no checkpoint"
        raise UserError(f"{key}={checkpoint} {reason}; save its state_dict alone.") from None
    except (RuntimeError, EOFError, OSError) as error:
        raise UserError(f"{key}={checkpoint} cannot be read as a checkpoint: {str(error).splitlines()[0]}") from None
    weights = content.get("state_dict") if isinstance(content, dict) else None
    if not isinstance(weights, dict):
        raise UserError(f"{key}={checkpoint} has no state_dict; give a checkpoint that mimicbench or Lightning wrote.")
    own = {name.removeprefix(_PREFIX): value for name, value in weights.items() if name.startswith(_PREFIX)}
    try:
        network.load_state_dict(own)
    except RuntimeError as error:
        detail = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise UserError(f"{key}={checkpoint} is of another architecture than configured: {detail}") from None
