"""Pickles from strangers: arrays and plain containers only; anything else is refused before it runs."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from mimicbench.errors import UserError

_reconstruct: Any = np.empty(0).__reduce__()[0]
_scalar: Any = np.int64(0).__reduce__()[0]

# Whatever a pickle does, it does by calling what ``find_class`` returns. So this list is all that it can do.
_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,  # NumPy 1
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,  # NumPy 2
    ("numpy._core.multiarray", "scalar"): _scalar,
    **{
        (module, kind.__name__): kind
        for module in ("builtins", "__builtin__")  # Python 3 and 2
        for kind in (bytes, bytearray, complex, frozenset, set)
    },
}


def unpickle(path: Path) -> Any:
    """Read a pickle, of Python 2 or 3, that holds NumPy arrays, numbers, strings and plain containers of them.

    Args:
        path: The pickle's file.

    Returns:
        What it holds; strings of Python 2 come as bytes.

    Raises:
        UserError: It names any other class or function, none of which has run then; or it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return _Unpickler(file, path).load()
    except UserError:
        raise
    except Exception as error:  # a damaged pickle can make any opcode fail in any way
        reason = str(error) or type(error).__name__
        raise UserError(f"{path} cannot be read as a pickle ({reason}); fetch it again.") from None


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: Any, path: Path) -> None:
        super().__init__(file, encoding="bytes")
        self._path = path

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("_codecs", "encode"):
            return self._latin1
        if (module, name) in (("numpy.core.numeric", "_frombuffer"), ("numpy._core.numeric", "_frombuffer")):
            return self._frombuffer
        if (module, name) in _ALLOWED:
            return _ALLOWED[module, name]
        raise UserError(
            f"{self._path} was not read, because it is a pickle that asks for {module}.{name} and could run code; "
            "only arrays and plain containers are accepted, so fetch the file from its official source."
        )

    # Own versions of two Python functions: a bound method takes no attributes, so a pickle cannot tamper with it.

    def _latin1(self, text: str, encoding: str) -> bytes:
        """How Python 3 pickles bytes in protocol 2, and nothing else that ``_codecs.encode`` can do."""
        if encoding not in ("latin1", b"latin1"):
            raise ValueError(f"unexpected encoding {encoding!r}")
        return text.encode("latin1")

    def _frombuffer(self, buffer: Any, dtype: "np.dtype[Any]", shape: tuple[int, ...], order: Any) -> np.ndarray:
        """How NumPy pickles arrays in protocol 5."""
        return np.frombuffer(buffer, dtype=dtype).reshape(shape, order=order)
