"""The file of a model that is not ours: that it is there, that its maker is trusted, and what it holds."""

import mmap
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mimicbench.errors import UserError
from mimicbench.fingerprint import file_content, fingerprint

_BESIDE = re.compile(rb"\n\x08location\x12(.)", re.DOTALL)
"""How an ONNX file names a file beside it that holds weights: key and value of a StringStringEntryProto."""


def of(mentor: Mapping[str, Any]) -> str | None:
    """The :func:`content` of the file that a mentor's configuration names; None where it names none that is there."""
    named = mentor.get("path") or mentor.get("checkpoint")
    return content(Path(named)) if named and Path(named).is_file() else None


def existing(path: Path) -> Path:
    """The file of a model.

    Raises:
        UserError: There is none.
    """
    if not path.is_file():
        raise UserError(f"mentor.path={path} is not a file; give that of the model.")
    return path


def trusted(path: Path, trust: bool) -> Path:
    """The file of a model that is a program.

    Raises:
        UserError: There is none, or its maker is not trusted.
    """
    if not trust:
        raise UserError(
            f"mentor.path={path} is a program: loading or asking it may run whatever its maker wrote. Set "
            "mentor.trust=true if you trust them, or take mentor=onnx."
        )
    return existing(path)


def content(path: Path) -> str:
    """A name of all bytes of a model: of its file, and of those beside it that an ONNX file names for its weights."""
    beside = sorted(_beside(path)) if path.stat().st_size else []
    return fingerprint(file_content(path), *((name, file_content(path.parent / name)) for name in beside))


def _beside(path: Path) -> set[str]:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as held:
        named = {held[found.end() : found.end() + found[1][0]] for found in _BESIDE.finditer(held)}
    names = {name.decode(errors="replace") for name in named if b"\0" not in name}
    return {name for name in names if (path.parent / name).is_file()}
