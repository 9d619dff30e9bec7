"""Short names for content."""

import hashlib
import json
from pathlib import Path
from typing import Any

from torch import nn


def fingerprint(*parts: Any) -> str:
    """A name of 16 hexadecimal digits, equal for equal parts.

    Args:
        parts: Plain values: numbers, strings, None, and lists and dictionaries of them.
    """
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def content(network: nn.Module) -> str:
    """A name of all parameters and buffers of a network, equal where each of their bits is."""
    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        digest.update(name.encode())
        digest.update(value.cpu().contiguous().numpy())
    return digest.hexdigest()


def file_content(path: Path) -> str:
    """A name of all bytes of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
