"""Files that appear whole or not at all."""

import glob
import os
import platform
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mimicbench.errors import UserError


@contextmanager
def atomic(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Write a file under a temporary name beside ``path``, then flush and rename it.

    If the body raises, the temporary file is removed and ``path`` is as it was. What a killed process left is removed
    by the next that writes the same file.

    Args:
        path: The final name; its folder exists.
        durable: Flush it to the disk, so that it outlives a machine that fails.

    Yields:
        The temporary name, with the suffix of ``path``.
    """
    own = f".{path.stem}.{platform.node()}."
    for left in path.parent.glob(f"{glob.escape(own)}*{glob.escape(path.suffix)}"):
        if _has_ended(left.name.removeprefix(own).removesuffix(path.suffix)):
            left.unlink(missing_ok=True)
    temporary = path.with_name(f"{own}{os.getpid()}{path.suffix}")
    try:
        yield temporary
        if durable:
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _has_ended(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except (ValueError, OSError):
        return False
    return False


@contextmanager
def writing(folder: Path, key: str) -> Iterator[None]:
    """Make a folder and write in it.

    Args:
        folder: Made if it does not exist.
        key: The configuration key that names it, or a folder above it.

    Raises:
        UserError: The body, or making the folder, raised an ``OSError``.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written ({error.strerror or error}); choose another folder as {key}."
        ) from None


def require_writable(folder: Path, key: str) -> None:
    """Try whether a folder can be written, and make it if it does not exist.

    Raises:
        UserError: It cannot.
    """
    with writing(folder, key):
        probe = folder / f".{os.getpid()}.writable"
        probe.touch()
        probe.unlink()


def arrays(path: Path, names: Sequence[str]) -> dict[str, Any] | None:
    """The arrays of an ``.npz`` file by name, or ``None`` where it is absent, damaged, or lacks one of them."""
    try:
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as kept:
            return {name: kept[name] for name in names}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
