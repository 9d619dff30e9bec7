"""A server of the Open Inference Protocol that misbehaves on demand."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

Answer = Callable[[np.ndarray], dict[str, np.ndarray]]
_KINDS = {"FP32": np.float32, "UINT8": np.uint8}
_NAMES = {"f": "FP32", "i": "INT64"}
HEADER_LENGTH = "Inference-Header-Content-Length"


@dataclass
class Witness:
    """What a server saw.

    Attributes:
        answered: Images that were answered, as bytes, each time that they were.
        charged: The same, but for requests whose ``Idempotency-Key`` had been answered before.
        headers: Of the inference requests.
        times: When these came.
        most: The largest number of them at a time.
    """

    answered: list[bytes] = field(default_factory=list)
    charged: list[bytes] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    headers: list[dict[str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    most: int = 0


@dataclass
class Behaviour:
    """How a server answers.

    Attributes:
        answer: Its outputs, by name, for images as they came.
        trouble: What goes wrong with the inference request of a number: a status, ``cut``, ``late``, ``garbage``,
            ``short``, ``narrow``, ``nan`` or ``other``; None for nothing.
        extensions: What the server says that it can.
        metadata: What it says of the model.
        slow: Seconds that each answer takes.
        error: What it says where it refuses.
        later: What it says in ``Retry-After`` with a 429.
    """

    answer: Answer
    trouble: Callable[[int], str | None] = lambda number: None
    extensions: tuple[str, ...] = ("binary_tensor_data",)
    metadata: dict[str, Any] = field(default_factory=dict)
    slow: float = 0.0
    error: dict[str, str] = field(default_factory=lambda: {"error": "busy"})
    later: str = "0"


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: "Reader"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        found = {
            "/v2": {"name": "test", "extensions": list(self.server.behaviour.extensions)},
            **dict.fromkeys(("/v2/models/reader", "/v2/models/reader/versions/1"), self.server.behaviour.metadata),
        }.get(self.path)
        self._send(404 if found is None else 200, json.dumps(found or {"error": "no such model"}).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.counted(dict(self.headers)) as number:
            self._infer(body, self.server.behaviour.trouble(number))

    def _infer(self, body: bytes, wrong: str | None) -> None:
        if wrong == "late":
            time.sleep(1.0)
        if wrong == "cut":
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if wrong is not None and wrong.isdigit():
            later = {"Retry-After": self.server.behaviour.later} if wrong == "429" else {}
            self._send(int(wrong), json.dumps(self.server.behaviour.error).encode(), later)
            return
        time.sleep(self.server.behaviour.slow)
        end = int(self.headers.get(HEADER_LENGTH, len(body)))
        head = json.loads(body[:end])
        (put,) = head["inputs"]
        kind = _KINDS[put["datatype"]]
        binary = "data" not in put
        images = (np.frombuffer(body[end:], kind) if binary else np.array(put["data"], kind)).reshape(put["shape"])
        outputs = self.server.behaviour.answer(images)
        if wrong == "short":
            outputs = {name: one[:-1] for name, one in outputs.items()}
        if wrong == "narrow":
            outputs = {name: one[:, :-1] if one.ndim == 2 else one - 99 for name, one in outputs.items()}
        if wrong == "nan":
            outputs = {name: one * np.float32("nan") for name, one in outputs.items() if one.dtype.kind == "f"}
        text, raw = encoded(outputs, "another" if wrong == "other" else head["id"], binary)
        if wrong == "garbage":
            text, raw = text[: len(text) // 2], b""
        if wrong in (None, "late"):
            self.server.note(images, self.headers["Idempotency-Key"])
        self._send(200, text + raw, {HEADER_LENGTH: str(len(text))} if binary else {})

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        with suppress(OSError):  # the client has gone
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)


def encoded(outputs: dict[str, np.ndarray], number: str, binary: bool) -> tuple[bytes, bytes]:
    """The JSON of a reply, and the bytes that follow it."""
    rows, raw = [], b""
    for name, one in outputs.items():
        row: dict[str, Any] = {"name": name, "shape": list(one.shape), "datatype": _NAMES[one.dtype.kind]}
        if binary:
            row["parameters"] = {"binary_data_size": one.nbytes}
            raw += one.tobytes()
        else:
            row["data"] = one.ravel().tolist()
        rows.append(row)
    return json.dumps({"model_name": "reader", "id": number, "outputs": rows}).encode(), raw


class Reader(ThreadingHTTPServer):
    """Serves one model, named ``reader``."""

    daemon_threads = True

    def __init__(self, behaviour: Behaviour) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behaviour = behaviour
        self.witness = Witness()
        self._lock = threading.Lock()
        self._running = 0

    @contextmanager
    def counted(self, headers: dict[str, str]) -> Iterator[int]:
        """Note an inference request while it is carried out; its number."""
        with self._lock:
            number = len(self.witness.times)
            self.witness.headers.append(headers)
            self.witness.times.append(time.monotonic())
            self._running += 1
            self.witness.most = max(self.witness.most, self._running)
        try:
            yield number
        finally:
            with self._lock:
                self._running -= 1

    def note(self, images: np.ndarray, key: str) -> None:
        """Note images that are answered."""
        seen = [image.tobytes() for image in images]
        with self._lock:
            self.witness.answered += seen
            self.witness.charged += [] if key in self.witness.keys else seen
            self.witness.keys.add(key)


@contextmanager
def serving(answer: Answer, **behaviour: Any) -> Iterator[tuple[str, Witness]]:
    """A server's address and what it sees, while it runs; arguments as of :class:`Behaviour`."""
    server = Reader(Behaviour(answer, **behaviour))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.witness
    finally:
        server.shutdown()
        server.server_close()
