"""A mentor behind a server that speaks the Open Inference Protocol."""

import sqlite3
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from hashlib import blake2b

import numpy as np
import torch
from torch import Tensor

from mimicbench.errors import UserError
from mimicbench.fingerprint import fingerprint
from mimicbench.hardware import Hardware
from mimicbench.mentors import open_inference as protocol
from mimicbench.mentors.exchange import Exchange, ModelIO, Port, port, settled
from mimicbench.mentors.mentor import Mentor
from mimicbench.mentors.open_inference import MalformedReplyError
from mimicbench.mentors.replies import Account, Replies
from mimicbench.mentors.server import Server, Wire
from mimicbench.paths import Paths
from mimicbench.tasks import Task


class HttpMentor(Mentor):
    """Asks a server, with several requests at a time, and never twice about one image; a student learns meanwhile.

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

    elsewhere = True

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
        except (sqlite3.Error, OSError) as error:
            raise UserError(
                f"Replies cannot be kept in paths.cache_dir ({error}); make room, or choose another."
            ) from None

    def hang_up(self) -> None:
        """Send no more requests; those under way are kept when they are answered."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def paid_by(self, job: str) -> None:
        """Say which job is charged from now on."""
        self._replies.payer = job

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
            asking: list[Future[dict[bytes, np.ndarray]]] = []
            try:
                for batch in batches:
                    asked = sent[[first[name] for name in batch]]
                    asking.append(self._threads.submit(self._asked, batch, asked, training))
                for one in asking:
                    known |= one.result()
            finally:  # where one has failed: those under way are waited for and kept, others are not sent
                for one in asking:
                    one.cancel()
                wait([one for one in asking if not one.cancelled()])  # cancelled ones are never done after hang_up
        answers = torch.from_numpy(np.stack([known[name] for name in names]))
        return self._exchange.understood(answers, len(names)).to(self.device)

    def _asked(self, names: list[bytes], sent: Tensor, training: bool) -> dict[bytes, np.ndarray]:
        number = blake2b(self.fingerprint.encode() + b"".join(names), digest_size=16).hexdigest()
        self._replies.sending(number, len(names))
        filled = self._exchange.filled(sent)
        problem = partial(self._exchange.problem, count=len(filled))
        again = partial(self._replies.again, number)
        answers = self._server.infer(number, *self._ports, filled, self._binary, problem, again)
        rows = answers[: len(names)].float().reshape(len(names), -1).numpy()
        self._replies.keep(number, names, rows, training=training)
        return dict(zip(names, rows, strict=True))


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
        paths: Replies are kept in ``cache_dir``, as they came.
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
    asked = {name: value for name, value in vars(exchange).items() if name not in ("says", "classes")}
    served = None if version is not None else told.get("versions")  # of which the server chooses
    replied = fingerprint(url.rstrip("/"), model, version, revision, served, asked, str(takes), str(gives))
    replies = Replies(paths.cache_dir / "replies" / f"{replied}.sqlite")
    named = fingerprint(replied, vars(exchange))
    return HttpMentor(task, hardware.device, server, takes.name, gives.name, binary, wire, exchange, replies, named)


def _port(offered: list[Port], wanted: str | None, key: str, place: str) -> Port:
    """One of those that a server tells; a named one is believed where it tells none."""
    return Port(wanted) if wanted is not None and not offered else port(offered, wanted, key, place)
