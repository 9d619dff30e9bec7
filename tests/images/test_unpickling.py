import os
import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mimicbench.errors import UserError
from mimicbench.images.unpickling import unpickle
from tests.making import cut


class Runs:
    """Pickles as a call of ``function``."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def write(path: Path, content: Any, protocol: int = 2) -> Path:
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_and_plain_containers_pass(tmp_path: Path, protocol: int) -> None:
    content = {
        "data": np.arange(6, dtype=np.uint8).reshape(2, 3),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "labels": [1, 2, 10**30],
        "scalar": np.float32(0.5),
        "bytes": b"\x00\xff",
        "others": ({1, 2}, frozenset([3]), 1j, None, True, "text", bytearray(b"x")),
    }
    read = unpickle(write(tmp_path / "batch", content, protocol))
    assert read.keys() == content.keys()
    np.testing.assert_array_equal(read["data"], content["data"])
    np.testing.assert_array_equal(read["fortran"], content["fortran"])
    assert {key: read[key] for key in ("labels", "scalar", "bytes", "others")} == {
        key: content[key] for key in ("labels", "scalar", "bytes", "others")
    }


def test_python_2(tmp_path: Path) -> None:
    values = bytes(range(6))
    content = (  # {"data": array([[0, 1, 2], [3, 4, 5]], uint8), "labels": [7]} as Python 2's cPickle wrote it
        b"\x80\x02}q\x01(U\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01K\x02K\x03\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff"
        b"K\x00tb\x89T" + struct.pack("<i", len(values)) + values + b"tbU\x06labels](K\x07eu."
    )
    (tmp_path / "batch").write_bytes(content)
    read = unpickle(tmp_path / "batch")
    assert read[b"labels"] == [7]
    np.testing.assert_array_equal(read[b"data"], np.array([[0, 1, 2], [3, 4, 5]], dtype=np.uint8))


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_would_create_a_file_is_refused_before_it_runs(tmp_path: Path, protocol: int) -> None:
    bait = tmp_path / "created"
    path = write(tmp_path / "batch", {"data": np.zeros(3), "labels": Runs(os.mkdir, str(bait))}, protocol)
    with pytest.raises(UserError, match=r"batch was not read, because .* asks for (posix|nt)\.mkdir"):
        unpickle(path)
    assert not bait.exists()
    pickle.loads(path.read_bytes())  # noqa: S301  the bait does work
    assert bait.exists()


@pytest.mark.parametrize(
    ("code", "asked"),
    [
        (b"cos\nsystem\n(S'true'\ntR.", "os.system"),
        (b"c__builtin__\neval\n(S'1'\ntR.", "__builtin__.eval"),
        (b"\x80\x04\x8c\x05numpy\x8c\x11ndarray.__class__\x93.", "numpy.ndarray.__class__"),
        (b"cnumpy\nload\n(S'x'\ntR.", "numpy.load"),
        (b"(S'x'\nios\nsystem\n.", "os.system"),  # the opcode INST
        (b"cnumpy.core.multiarray\nfromfile\n.", "numpy.core.multiarray.fromfile"),
        (b"c_codecs\ndecode\n.", "_codecs.decode"),
    ],
)
def test_other_globals_are_named(tmp_path: Path, code: bytes, asked: str) -> None:
    (tmp_path / "batch").write_bytes(code)
    with pytest.raises(UserError, match=rf"batch was not read, because .* asks for {asked} "):
        unpickle(tmp_path / "batch")


def test_only_the_codec_that_pickle_needs(tmp_path: Path) -> None:
    (tmp_path / "batch").write_bytes(b"c_codecs\nencode\n(X\x01\x00\x00\x00xX\x05\x00\x00\x00rot13tR.")
    with pytest.raises(UserError, match="unexpected encoding 'rot13'"):
        unpickle(tmp_path / "batch")


def test_a_pickle_cannot_tamper_with_what_it_is_given(tmp_path: Path) -> None:
    for name in (b"c_codecs\nencode\n", b"cnumpy.core.numeric\n_frombuffer\n"):
        (tmp_path / "batch").write_bytes(b"\x80\x02" + name + b"N}X\x01\x00\x00\x00aK\x01s\x86b.")  # BUILD: setattr
        with pytest.raises(UserError, match="cannot be read as a pickle"):
            unpickle(tmp_path / "batch")


def test_containers_that_are_classes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"collections\.OrderedDict"):
        unpickle(write(tmp_path / "batch", OrderedDict(a=1)))


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x80\x02}q\x01(U\xff"])
def test_damaged_files_are_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "batch").write_bytes(content)
    with pytest.raises(UserError, match=r"batch cannot be read as a pickle \(.+\); fetch it again"):
        unpickle(tmp_path / "batch")


def test_truncated(tmp_path: Path) -> None:
    path = cut(write(tmp_path / "batch", {"data": np.zeros(1000)}))
    with pytest.raises(UserError, match="batch cannot be read as a pickle"):
        unpickle(path)
