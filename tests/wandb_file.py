"""Reads what a run of Weights & Biases wrote into its own file: a log of blocks, as LevelDB's, of protobuf records."""

import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wandb.proto.wandb_internal_pb2 import Record

_BLOCK = 32768
_HEADER = struct.Struct("<IHB")  # checksum, length, and whether it is whole, first, middle or last
_WHOLE, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_PATIENCE = 20  # seconds


def records(file: Path) -> Iterator[Any]:
    content = file.read_bytes()
    assert content[:4] == b":W&B"
    place, parts = 7, b""
    while place + _HEADER.size <= len(content):
        left = _BLOCK - place % _BLOCK
        if left < _HEADER.size:
            place += left
            continue
        _, length, kind = _HEADER.unpack_from(content, place)
        place += _HEADER.size
        if place + length > len(content):
            return  # it is being written
        parts = (b"" if kind in (_WHOLE, _FIRST) else parts) + content[place : place + length]
        place += length
        if kind in (_WHOLE, _LAST):
            record = Record()
            record.ParseFromString(parts)
            yield record


class OfflineRun:
    """What the file of the only run below a folder holds, once its end is written, which may be after ``finish()``.

    Attributes:
        files: Those of its artifacts, tables too, by their paths there.
        config: As it was logged.
        history: Its rows; a value that has parts of its own is one key a part, joined by dots.
        summary: Its last values.
        exit_code: With which it was finished.
        models: Names of its artifacts that are models.
        group: Of the run.
        name: Of the run.
    """

    def __init__(self, below: Path) -> None:
        (file,) = below.rglob("run-*.wandb")
        self.files: dict[str, Path] = {}
        self.config: dict[str, Any] = {}
        self.history: list[dict[str, Any]] = []
        self.summary: dict[str, Any] = {}
        self.models: list[str] = []
        self.exit_code: int | None = None
        self.group = self.name = ""
        begun = time.monotonic()
        while not (found := list(records(file))) or found[-1].WhichOneof("record_type") != "exit":
            assert time.monotonic() - begun < _PATIENCE, f"{file} has no end"
            time.sleep(0.05)
        for record in found:
            self._take(record)

    def _take(self, record: Any) -> None:
        kind = record.WhichOneof("record_type")
        if kind == "run":
            self.group, self.name = record.run.run_group, record.run.display_name
            self.config |= _items(record.run.config.update)
        elif kind == "config":
            self.config |= _items(record.config.update)
        elif kind == "history":
            self.history.append(_items(record.history.item))
        elif kind == "summary":
            self.summary |= _items(record.summary.update)
        elif kind == "exit":
            self.exit_code = record.exit.exit_code
        elif kind == "artifact":
            self.files |= {entry.path: Path(entry.local_path) for entry in record.artifact.manifest.contents}
            if record.artifact.type == "model":
                self.models.append(record.artifact.name)


def _items(items: Any) -> dict[str, Any]:
    return {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items}
