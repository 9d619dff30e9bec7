"""A mentor behind a server that speaks the Open Inference Protocol."""

import json
import os
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from hashlib import blake2b
from time import monotonic, sleep
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit

import numpy as np
import torch
import urllib3
from pydantic import ConfigDict, Field, NonNegativeInt, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor
from urllib3.util import Retry

from mimicbench.errors import UserError
from mimicbench.fingerprint import fingerprint
from mimicbench.hardware import Hardware
from mimicbench.mentors import open_inference as protocol
from mimicbench.mentors.exchange import Exchange, ModelIO, Port, port, settled
from mimicbench.mentors.mentor import Mentor
from mimicbench.mentors.open_inference import MalformedReplyError
from mimicbench.mentors.replies import Account, Replies
from mimicbench.paths import Paths
from mimicbench.tasks import Task

_AGAIN = (429, 500, 502, 503, 504)
_NOT_ANSWERED = (429, 503)  # of these: the server says itself that it did nothing
_MALFORMED = 3  # replies in a row, before a request is given up


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Wire:
    """How a server is asked.

    Attributes:
        encoding: ``binary`` or ``json`` tensors; ``auto`` for binary where the server says that it reads them.
        batch_size: Images in a request, at most.
        in_flight: Requests at a time.
        per_second: Requests a second, at most; None for no limit.
        timeout: Seconds without any byte after which a request has failed.
        retries: How often a request is sent again that failed or was put off (429, 5xx).
        backoff: Half the seconds before the second of these, doubled before each further one, and up to this many more
            by lot; the first comes at once. What a server asks for in ``Retry-After`` comes first.
        longest_backoff: Seconds that these waits do not exceed.
        authorization: The environment variable that holds the ``Authorization`` header, if there is one.
    """

    encoding: Literal["auto", "binary", "json"]
    batch_size: PositiveInt
    in_flight: PositiveInt
    per_second: PositiveFloat | None
    timeout: PositiveFloat
    retries: NonNegativeInt
    backoff: Annotated[float, Field(ge=0)]
    longest_backoff: PositiveFloat
    authorization: str


class Pace:
    """Lets so many through a second, from any thread.

    Args:
        per_second: How many; None for no limit.
    """

    def __init__(self, per_second: float | None) -> None:
        self._between = 0.0 if per_second is None else 1 / per_second
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Until it is this one's turn."""
        with self._lock:
            turn = max(self._next, monotonic())
            self._next = turn + self._between
        sleep(max(0.0, turn - monotonic()))


class Server:
    """One model of a server.

    Args:
        url: The server's, such as ``http://localhost:8000``.
        model: The model's name there.
        version: Its version; None for the server's choice.
        wire: How it is asked.
    """

    def __init__(self, url: str, model: str, version: str | None, wire: Wire) -> None:
        try:
            parts = urlsplit(url)
            known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            known = False
        if not known:
            raise UserError(f"mentor.url={url} is no address; give one such as http://localhost:8000.")
        if parts.username is not None:
            raise UserError(f"mentor.url holds a password; put the header into the environment: {wire.authorization}.")
        self._url = url.rstrip("/")
        self._model = f"/v2/models/{quote(model, safe='')}" + (
            f"/versions/{quote(version, safe='')}" if version else ""
        )
        self._wire = wire
        self._pace = Pace(wire.per_second)
        self._token = os.environ.get(wire.authorization, "").strip()
        if not all(" " <= letter <= "~" for letter in self._token):
            raise UserError(f"The environment variable {wire.authorization} holds letters that no header may have.")
        self._headers = {"Authorization": self._token} if self._token else {}
        self._pool = urllib3.PoolManager(maxsize=wire.in_flight, block=True)
        self._retry = self._policy()

    def metadata(self) -> dict[str, Any]:
        """What the server says of the model.

        Raises:
            UserError: It cannot be had.
        """
        return self._json("GET", self._model)

    def reads_bytes(self) -> bool:
        """Whether it says that tensors may be bytes."""
        extensions = self._json("GET", "/v2").get("extensions")
        return isinstance(extensions, list) and protocol.BINARY in extensions

    def infer(self, number: str, takes: str, gives: str, images: Tensor, binary: bool) -> tuple[Tensor, int, int]:
        """The model's answers to one batch, how often it was asked again, and how often of these after a doubtful end.

        A reply that cannot be read is asked for again, three times at most. The request's number goes along as
        ``Idempotency-Key``, for servers that answer the same request twice at the price of once.

        Args:
            number: Names the request.
            takes: Name of the input.
            gives: Name of the output.
            images: float32 or uint8 [B, …].
            binary: Whether tensors are bytes.

        Raises:
            UserError: There is no usable answer.
        """
        message = protocol.request(number, takes, gives, images, binary)
        retried = doubtful = 0
        for left in reversed(range(_MALFORMED)):
            headers = {**message.headers, "Idempotency-Key": number}
            reply = self._sent("POST", f"{self._model}/infer", message.body, headers)
            history = reply.retries.history if reply.retries is not None else ()
            retried += len(history)
            doubtful += sum(one.status not in _NOT_ANSWERED for one in history)
            try:
                answers = protocol.answered(number, gives, reply.data, reply.headers.get(protocol.HEADER_LENGTH))
                if answers.dim() == 0 or len(answers) != len(images):
                    raise MalformedReplyError(f"it answers {list(answers.shape)} to {len(images)} images")
                if answers.is_floating_point() and not answers.isfinite().all():
                    raise MalformedReplyError("it holds numbers that are not finite")
                return answers, retried, doubtful
            except MalformedReplyError as error:
                if not left:
                    raise UserError(f"{self._url} sent {_MALFORMED} replies of no use; of the last, {error}.") from None
                retried, doubtful = retried + 1, doubtful + 1
        raise AssertionError  # the loop returns or raises

    def _json(self, method: str, path: str) -> dict[str, Any]:
        reply = self._sent(method, path)
        try:
            found = json.loads(reply.data)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise UserError(f"{self._url}{path} is not answered in the Open Inference Protocol; see mentor.url.")
        return found

    def _sent(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> urllib3.BaseHTTPResponse:
        """One request, sent again as long as that may help."""
        tries = self._wire.retries + 1
        self._pace.wait()
        try:
            reply = self._pool.request(
                method,
                f"{self._url}{path}",
                body=body,
                headers={**(headers or {}), **self._headers},
                timeout=self._wire.timeout,
                redirect=False,
                retries=self._retry,
            )
        except urllib3.exceptions.HTTPError as error:
            reason = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) else error
            raise UserError(f"{self._url} did not answer in {tries} tries ({type(reason).__name__}).") from None
        if reply.status in _AGAIN:
            raise UserError(
                f"{self._url} did not answer in {tries} tries (HTTP {reply.status}{self._reason(reply.data)})."
            )
        if reply.status != 200:
            raise UserError(f"{self._url}{path} answers with HTTP {reply.status}{self._reason(reply.data)}.")
        return reply

    def _reason(self, body: bytes) -> str:
        """What a server says of an error, in a line, without what must not be told."""
        try:
            said = str(json.loads(body)["error"]).splitlines()[0][:200]
        except (ValueError, KeyError, TypeError, IndexError, RecursionError):
            return ""
        return f" ({said.replace(self._token, '…') if self._token else said})"

    def _policy(self) -> Retry:
        """urllib3's, at the server's pace."""

        class Paced(Retry):
            def sleep(inner, response: urllib3.BaseHTTPResponse | None = None) -> None:  # noqa: N805
                super().sleep(response)
                self._pace.wait()

        return Paced(
            total=self._wire.retries,
            backoff_factor=self._wire.backoff,
            backoff_max=self._wire.longest_backoff,
            backoff_jitter=self._wire.backoff,
            status_forcelist=_AGAIN,
            allowed_methods=None,  # asking again changes nothing there
            raise_on_status=False,
        )


class HttpMentor(Mentor):
    """Asks a server, with several requests at a time, and never twice about one image.

    Args:
        task: What it does; its classes are the task's, in their order.
        device: Where images come from and answers go.
        server: The server.
        takes: Name of the input.
        gives: Name of the output.
        binary: Whether tensors are bytes.
        wire: How it is asked.
        exchange: The model's language.
        replies: What it has answered before.
        fingerprint: Names model and language.
    """

    def __init__(
        self,
        task: Task,
        device: torch.device,
        server: Server,
        takes: str,
        gives: str,
        binary: bool,
        wire: Wire,
        exchange: Exchange,
        replies: Replies,
        fingerprint: str,
    ) -> None:
        self.classes = task.classes
        self.device = device
        self.fingerprint = fingerprint
        self.names_class_only = exchange.says == "label"
        self._exchange = exchange
        self._server = server
        self._ports = takes, gives
        self._binary = binary
        self._size = exchange.batch or wire.batch_size
        self._replies = replies
        self._threads = ThreadPoolExecutor(wire.in_flight, thread_name_prefix="asking")

    @property
    def account(self) -> Account:
        """What this job has had of it."""
        return self._replies.account

    def __call__(self, images: Tensor) -> Tensor:
        """What the model answers, as probabilities, in the order of the images."""
        return self._answers(images, training=False)

    def queried(self, images: Tensor) -> Tensor:
        """The same, for a student to learn from."""
        return self._answers(images, training=True)

    def _answers(self, images: Tensor, training: bool) -> Tensor:
        try:
            return self._kept_or_asked(images, training)
        except sqlite3.Error as error:
            raise UserError(
                f"Replies cannot be kept in paths.cache_dir ({error}); make room, or choose another."
            ) from None

    @torch.no_grad()
    def _kept_or_asked(self, images: Tensor, training: bool) -> Tensor:
        sent = self._exchange.put(images).cpu()
        names = [blake2b(image, digest_size=16).digest() for image in sent.numpy()]
        first = {name: place for place, name in reversed(list(enumerate(names)))}
        with self._replies.alone():
            self._replies.settle()
            known = self._replies.find(list(first))
            missing = [name for name in dict.fromkeys(names) if name not in known]
            batches = [missing[start : start + self._size] for start in range(0, len(missing), self._size)]
            asking = [
                self._threads.submit(self._asked, batch, sent[[first[name] for name in batch]], training)
                for batch in batches
            ]
            try:
                for one in asking:
                    known |= one.result()
            finally:  # where one has failed: those under way are waited for and kept, others are not sent
                for one in asking:
                    one.cancel()
                wait(asking)
        return torch.from_numpy(np.stack([known[name] for name in names])).to(self.device)

    def _asked(self, names: list[bytes], sent: Tensor, training: bool) -> dict[bytes, np.ndarray]:
        number = blake2b(self.fingerprint.encode() + b"".join(names), digest_size=16).hexdigest()
        self._replies.sending(number, len(names))
        filled = self._exchange.filled(sent)
        answers, retried, doubtful = self._server.infer(number, *self._ports, filled, self._binary)
        understood = self._exchange.understood(answers[: len(names)], len(names)).numpy()
        self._replies.keep(number, names, understood, training=training, retried=retried, doubtful=doubtful)
        return dict(zip(names, understood, strict=True))


def http(
    task: Task,
    paths: Paths,
    hardware: Hardware,
    *,
    url: str,
    model: str,
    version: str | None,
    revision: str | int | None,
    io: ModelIO,
    wire: Wire,
) -> HttpMentor:
    """A mentor behind the Open Inference Protocol (version 2, REST): Triton, KServe, MLServer and others.

    Args:
        task: What it does; classes in the order of its outputs.
        paths: Replies are kept in ``cache_dir``, and counted for the job in ``output_dir``.
        hardware: Where the job runs.
        url: The server's, such as ``http://localhost:8000``.
        model: The model's name there.
        version: Its version; None for the server's choice.
        revision: Anything, changed when another model answers under the same name, so that kept replies are not used.
        io: What the server does not say of the model's input and output.
        wire: How it is asked.

    Raises:
        UserError: The server does not answer, or does not say what it must.
    """
    server = Server(url, model, version, wire)
    told = server.metadata()
    place = f"{url}, model {model},"
    try:
        inputs, outputs = (protocol.ports(told.get(name)) for name in ("inputs", "outputs"))
    except MalformedReplyError as error:
        raise UserError(f"{place} is not described in the Open Inference Protocol: {error}.") from None
    takes = _port(inputs, io.input, "mentor.io.input", place)
    gives = _port(outputs, io.output, "mentor.io.output", place)
    exchange = settled(io, takes, gives, task.size, len(task.classes), place)
    binary = wire.encoding == "binary" or (wire.encoding == "auto" and server.reads_bytes())
    named = fingerprint(url.rstrip("/"), model, version, revision, told, vars(exchange), takes.name, gives.name)
    replies = Replies(paths.cache_dir / "replies" / f"{named}.sqlite", str(paths.output_dir.resolve()))
    return HttpMentor(task, hardware.device, server, takes.name, gives.name, binary, wire, exchange, replies, named)


def _port(offered: list[Port], wanted: str | None, key: str, place: str) -> Port:
    """One of those that a server tells; a named one is believed where it tells none."""
    return Port(wanted) if wanted is not None and not offered else port(offered, wanted, key, place)
