"""One model of a server that speaks the Open Inference Protocol, and how it is asked."""

import json
import logging
import os
import re
import threading
from collections.abc import Callable
from time import monotonic, sleep
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit

import urllib3
from pydantic import ConfigDict, Field, NonNegativeInt, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor
from urllib3.util import Retry

from mimicbench.errors import UserError
from mimicbench.mentors import open_inference as protocol
from mimicbench.mentors.open_inference import MalformedReplyError

_AGAIN = (429, 500, 502, 503, 504)
_NOT_ANSWERED = (429, 503)  # of these: the server says itself that it did nothing
_NOT_SENT = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
_LONGEST_REASON = 200  # letters of what a server says of an error
_SHORTEST_SECRET = 4  # letters
_GO_ON = "what it has answered is kept, and the same command goes on from there"
_MALFORMED = 3  # replies in a row, before a request is given up

logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # each retry is counted in result.json


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
        longest_pause: Seconds that a server may ask for in ``Retry-After``; where it asks for more, the job ends.
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
    longest_pause: PositiveFloat
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
        secrets = {self._token, *re.split(r"[\s,;=\"']+", self._token)[1:]}  # servers repeat it without its scheme
        self._secrets = sorted((one for one in secrets if len(one) >= _SHORTEST_SECRET), key=len, reverse=True)
        self._headers = {"Authorization": self._token} if self._token else {}
        self._pool = urllib3.PoolManager(maxsize=wire.in_flight, block=True)

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

    def infer(
        self,
        number: str,
        takes: str,
        gives: str,
        images: Tensor,
        binary: bool,
        problem: Callable[[Tensor], str | None],
        again: Callable[[bool], None],
    ) -> Tensor:
        """The model's answers to one batch.

        A reply that cannot be read is asked for again, three times at most. The request's number goes along as
        ``Idempotency-Key``, for servers that answer the same request twice at the price of once.

        Args:
            number: Names the request.
            takes: Name of the input.
            gives: Name of the output.
            images: float32 or uint8 [B, …].
            binary: Whether tensors are bytes.
            problem: Says why answers are of no use, or None.
            again: Called whenever the request is about to be sent again, with whether it may have been answered.

        Raises:
            UserError: There is no usable answer.
        """
        message = protocol.request(number, takes, gives, images, binary)
        headers = {**message.headers, "Idempotency-Key": number}
        wrong: str | None = None
        for _ in range(_MALFORMED):
            if wrong is not None:
                again(True)
            reply = self._sent("POST", f"{self._model}/infer", message.body, headers, again)
            try:
                answers = protocol.answered(number, gives, reply.data, reply.headers.get(protocol.HEADER_LENGTH))
                wrong = problem(answers)
                if wrong is None:
                    return answers
            except MalformedReplyError as error:
                wrong = str(error)
        raise UserError(f"{self._url} sent {_MALFORMED} replies of no use; of the last, {self._told(str(wrong))}.")

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
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        again: Callable[[bool], None] = lambda _: None,
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
                retries=self._policy(again),
            )
        except urllib3.exceptions.HTTPError as error:
            reason = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) else error
            raise UserError(
                f"{self._url} did not answer in {tries} tries ({type(reason).__name__}); {_GO_ON}."
            ) from None
        if reply.status in _AGAIN:
            raise UserError(
                f"{self._url} did not answer in {tries} tries (HTTP {reply.status}{self._reason(reply.data)}); "
                f"{_GO_ON}."
            )
        if reply.status != 200:
            raise UserError(f"{self._url}{path} answers with HTTP {reply.status}{self._reason(reply.data)}.")
        return reply

    def _reason(self, body: bytes) -> str:
        """What a server says of an error, in a line, without what must not be told."""
        try:
            said = str(json.loads(body)["error"]).splitlines()[0]
        except (ValueError, KeyError, TypeError, IndexError, RecursionError):
            return ""
        return f" ({self._told(said)})"

    def _told(self, said: str) -> str:
        """What a server says, short and without what must not be told."""
        for secret in self._secrets:
            said = said.replace(secret, "…")
        return said[:_LONGEST_REASON]

    def _policy(self, again: Callable[[bool], None]) -> Retry:
        """urllib3's, at the server's pace."""

        class Paced(Retry):
            def increment(inner, *given: Any, **named: Any) -> Retry:  # type: ignore[override]  # noqa: N805
                left = super().increment(*given, **named)  # raises where none is left
                last = left.history[-1]
                again(last.status not in _NOT_ANSWERED and not isinstance(last.error, _NOT_SENT))
                return left

            def sleep(inner, response: urllib3.BaseHTTPResponse | None = None) -> None:  # noqa: N805
                super().sleep(response)
                self._pace.wait()

            def parse_retry_after(inner, retry_after: str) -> float:  # noqa: N805
                try:
                    seconds = float(retry_after)
                except ValueError:
                    try:
                        seconds = super().parse_retry_after(retry_after)
                    except urllib3.exceptions.InvalidHeader:
                        return 0.0  # as if it said nothing
                if seconds > self._wire.longest_pause:
                    raise UserError(
                        f"{self._url} asks to come back in {seconds:,.0f} seconds; do so, for what it has answered is "
                        "kept, or raise mentor.wire.longest_pause."
                    )
                return max(0.0, seconds)

        return Paced(
            total=self._wire.retries,
            backoff_factor=self._wire.backoff,
            backoff_max=self._wire.longest_backoff,
            backoff_jitter=self._wire.backoff,
            status_forcelist=_AGAIN,
            allowed_methods=None,  # asking again changes nothing there
            raise_on_status=False,
        )
