import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mimicbench.mentors import open_inference as protocol
from mimicbench.mentors.exchange import Port
from mimicbench.mentors.open_inference import HEADER_LENGTH, MalformedReplyError, answered


def test_a_request_in_json_is_as_the_protocol_has_it() -> None:
    images = torch.arange(24.0).reshape(2, 3, 2, 2)
    sent = protocol.request("7", "x", "y", images, binary=False)
    assert json.loads(sent.body) == {
        "id": "7",
        "inputs": [{"name": "x", "shape": [2, 3, 2, 2], "datatype": "FP32", "data": [float(one) for one in range(24)]}],
        "outputs": [{"name": "y"}],
    }
    assert sent.headers == {"Content-Type": "application/json"}


def test_a_request_in_bytes_is_json_and_then_the_numbers() -> None:
    images = torch.arange(12, dtype=torch.uint8).reshape(1, 2, 2, 3)
    sent = protocol.request("7", "x", "y", images, binary=True)
    end = int(sent.headers[HEADER_LENGTH])
    head = json.loads(sent.body[:end])
    assert head["inputs"] == [
        {"name": "x", "shape": [1, 2, 2, 3], "datatype": "UINT8", "parameters": {"binary_data_size": 12}}
    ]
    assert head["outputs"] == [{"name": "y", "parameters": {"binary_data": True}}]
    assert sent.body[end:] == bytes(range(12))


def reply(outputs: list[tuple[str, np.ndarray]], binary: bool, number: str = "7") -> tuple[bytes, str | None]:
    """Written out by hand."""
    kinds = {"f": "FP32", "i": "INT64"}
    rows, raw = [], b""
    for name, values in outputs:
        row = {"name": name, "shape": list(values.shape), "datatype": kinds[values.dtype.kind]}
        if binary:
            row["parameters"] = {"binary_data_size": values.nbytes}
            raw += values.tobytes()
        else:
            row["data"] = values.ravel().tolist()
        rows.append(row)
    head = json.dumps({"model_name": "m", "id": number, "outputs": rows}).encode()
    return head + raw, str(len(head)) if binary else None


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("turned", [False, True])
def test_the_output_is_found_by_its_name(binary: bool, turned: bool) -> None:
    scores = np.random.default_rng(0).random((3, 5), dtype=np.float32)
    outputs = [("label", scores.argmax(1)), ("scores", scores)]
    body, length = reply(outputs[::-1] if turned else outputs, binary)
    for name, expected in outputs:
        found = answered("7", name, body, length)
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == (torch.int64 if name == "label" else torch.float32)


@pytest.mark.parametrize("binary", [False, True])
def test_replies_of_no_use(binary: bool) -> None:
    scores = np.ones((3, 5), dtype=np.float32)
    body, length = reply([("scores", scores)], binary)
    for number, name, content, said in (
        ("8", "scores", body, "another request"),
        ("7", "label", body, "no output 'label'"),
        ("7", "scores", body[:-9], ""),
        ("7", "scores", b"<html>", "cannot be read"),
        ("7", "scores", b"", "cannot be read"),
        ("7", "scores", body.replace(b"[3, 5]", b"[3, 6]"), ""),
        ("7", "scores", body.replace(b"FP32", b"XX32"), "type XX32"),
    ):
        with pytest.raises(MalformedReplyError, match=said):
            answered(number, name, content, length)


@given(st.binary(max_size=200), st.sampled_from([None, "0", "5", "x", "-3"]))
def test_no_bytes_do_more_than_be_malformed(body: bytes, length: str | None) -> None:
    with pytest.raises(MalformedReplyError):
        answered("7", "scores", body, length)


def test_metadata_tells_ports() -> None:
    told = [
        {"name": "x", "datatype": "FP32", "shape": [-1, 3, 32, 32]},
        {"name": "y", "datatype": "BYTES", "shape": []},
    ]
    assert protocol.ports(told) == [Port("x", torch.float32, (None, 3, 32, 32)), Port("y", "BYTES", None)]
    assert protocol.ports(None) == []
    for told in ([1], [{"shape": [1]}], [{"name": "x", "shape": 5}]):
        with pytest.raises(MalformedReplyError):
            protocol.ports(told)
    assert protocol.ports([{"name": "x", "datatype": ["FP32"], "shape": []}])[0].dtype == "['FP32']"


@pytest.mark.parametrize("shape", ["[Infinity]", "[1" + "0" * 400 + "]", "[" * 5000, '{"a": 1}', "5", "null", '"x"'])
def test_numbers_out_of_all_bounds_are_malformed(shape: str) -> None:
    body = f'{{"id": "7", "outputs": [{{"name": "y", "datatype": "FP32", "shape": {shape}, "data": [1]}}]}}'.encode()
    with pytest.raises(MalformedReplyError):
        answered("7", "y", body, None)
