"""A server of the Open Inference Protocol that misbehaves on demand."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

Answer = Callable[[np.ndarray], dict[str, np.ndarray]]
_KINDS = {"FP32": np.float32, "UINT8": np.uint8}
_NAMES = {"f": "FP32", "i": "INT64"}


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


@contextmanager
def serving(
    answer: Answer,
    *,
    trouble: Callable[[int], str | None] = lambda number: None,
    extensions: tuple[str, ...] = ("binary_tensor_data",),
    metadata: dict[str, Any] | None = None,
    slow: float = 0.0,
    error: dict[str, str] | None = None,
) -> Iterator[tuple[str, Witness]]:
    """Serve one model, named ``reader``.

    Args:
        answer: Its outputs, by name, for images as they came.
        trouble: What goes wrong with the inference request of a number: a status, ``cut``, ``late``, ``garbage``,
            ``short``, ``nan`` or ``other``; None for nothing.
        extensions: What the server says that it can.
        metadata: What it says of the model.
        slow: Seconds that each answer takes.
        error: What it says where it refuses.
    """
    witness, lock, running, numbers = Witness(), threading.Lock(), [0], iter(range(10**9))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            if self.path == "/v2":
                self._send(200, json.dumps({"name": "test", "extensions": list(extensions)}).encode())
            elif self.path == "/v2/models/reader":
                self._send(200, json.dumps(metadata or {}).encode())
            else:
                self._send(404, json.dumps({"error": "no such model"}).encode())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                number = next(numbers)
                witness.headers.append(dict(self.headers))
                witness.times.append(time.monotonic())
                running[0] += 1
                witness.most = max(witness.most, running[0])
            try:
                self._infer(body, trouble(number))
            finally:
                with lock:
                    running[0] -= 1

        def _infer(self, body: bytes, wrong: str | None) -> None:
            if wrong == "late":
                time.sleep(1.0)
            if wrong == "cut":
                self.connection.close()
                return
            if wrong is not None and wrong.isdigit():
                self._send(
                    int(wrong),
                    json.dumps(error or {"error": "busy"}).encode(),
                    {"Retry-After": "0"} if wrong == "429" else {},
                )
                return
            time.sleep(slow)
            end = int(self.headers.get("Inference-Header-Content-Length", len(body)))
            head = json.loads(body[:end])
            (put,) = head["inputs"]
            kind = _KINDS[put["datatype"]]
            binary = "data" not in put
            values = np.frombuffer(body[end:], kind) if binary else np.array(put["data"], kind)
            images = values.reshape(put["shape"])
            outputs = answer(images)
            if wrong == "short":
                outputs = {name: one[:-1] for name, one in outputs.items()}
            if wrong == "nan":
                outputs = {
                    name: np.full_like(one, np.nan) if one.dtype.kind == "f" else one for name, one in outputs.items()
                }
            rows, raw = [], b""
            for name, one in outputs.items():
                row: dict[str, Any] = {"name": name, "shape": list(one.shape), "datatype": _NAMES[one.dtype.kind]}
                if binary:
                    row["parameters"] = {"binary_data_size": one.nbytes}
                    raw += one.tobytes()
                else:
                    row["data"] = one.ravel().tolist()
                rows.append(row)
            number = "another" if wrong == "other" else head["id"]
            text = json.dumps({"model_name": "reader", "id": number, "outputs": rows}).encode()
            if wrong == "garbage":
                text, raw = text[: len(text) // 2], b""
            if wrong is None or wrong == "late":
                with lock:
                    seen = [image.tobytes() for image in images]
                    witness.answered += seen
                    witness.charged += [] if self.headers["Idempotency-Key"] in witness.keys else seen
                    witness.keys.add(self.headers["Idempotency-Key"])
            self._send(200, text + raw, {"Inference-Header-Content-Length": str(len(text))} if binary else {})

        def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            try:
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                pass  # the client has gone

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", witness
    finally:
        server.shutdown()
        server.server_close()
