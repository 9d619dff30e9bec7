"""Replies that are asked for once and kept on disk beside the run."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor
from tqdm import tqdm

from mimicbench.files import atomic, writing
from mimicbench.hardware import to_device
from mimicbench.oracles import Oracle


class AskedOnce:
    """The oracle's replies to a fixed list of queries: read from ``file``, or asked for and kept there.

    They are asked for when the first of them is wanted: all before it is there, or, with ``wanted``, by a thread of its
    own, so that a student can learn from those that are there. Of several ranks, the first to come asks, and the others
    wait until it has asked for all.

    Args:
        file: A ``.npy`` file whose name says what the replies depend on, but for their number.
        oracle: Where queries are sent.
        query: Gives the images of some places of the list, float [B, C, H, W].
        count: N, the length of the list.
        chunk_size: Images in one query.
        device: Where the training runs.
        wanted: Gives the places in the order in which a student will want them, int64 [N], for a thread to ask in; None
            to ask from the first to the last, without one.

    Attributes:
        settled: Whether all are kept.
    """

    def __init__(
        self,
        file: Path,
        oracle: Oracle,
        query: Callable[[np.ndarray], Tensor],
        count: int,
        chunk_size: int,
        device: torch.device,
        wanted: Callable[[], np.ndarray] | None = None,
    ) -> None:
        self.settled = False
        self._file = file
        self._oracle = oracle
        self._query = query
        self._count = count
        self._wanted = wanted
        self._chunk_size = chunk_size
        self._device = device
        self._replies: Tensor | None = None
        self._known = np.zeros(count, dtype=bool)
        self._came = threading.Condition()
        self._asking: Future[None] | None = None
        self._stopped = False

    def __getitem__(self, places: np.ndarray) -> Tensor:
        """The replies to some places of the list, as soon as they are there.

        Args:
            places: int64 [B].

        Returns:
            float32 [B, K], on ``device``.

        Raises:
            QueryBudgetExceeded: The budget does not cover them all.
            UserError: The file cannot be written, or the mentor fails.
            RuntimeError: They were not asked for before :meth:`stop`.
        """
        if self._asking is None:
            self._asking = self._begun()
        with self._came:  # whoever wants the last of them waits until all are kept
            self._came.wait_for(lambda: self._over or bool(self._known[places].all() and not self._known.all()))
        if self._over:
            self._asking.result()  # raises what the thread met
        if self._replies is None or not (self.settled or self._known[places].all()):
            raise RuntimeError("Nothing is asked for any more.")
        return self._replies[to_device(places, self._device)]

    def stop(self) -> None:
        """Send no more queries."""
        self._stopped = True

    @property
    def _over(self) -> bool:
        return self._asking is not None and self._asking.done()

    def _begun(self) -> Future[None]:
        asking: Future[None] = Future()

        def work() -> None:
            try:
                self._read_or_ask()
                asking.set_result(None)
            except BaseException as error:  # handed to whoever wants a reply
                asking.set_exception(error)
            with self._came:
                self._came.notify_all()

        if self._wanted is None:
            work()
        else:
            threading.Thread(target=work, name="asking", daemon=True).start()
        return asking

    def _read_or_ask(self) -> None:
        with writing(self._file.parent, "paths.output_dir"), FileLock(self._file.with_suffix(".lock")):
            if self._file.exists() and len(kept := np.load(self._file)) == self._count:
                self._oracle.recall(len(kept))
                self._replies = torch.from_numpy(kept).to(self._device)
            else:
                self._ask()
                if self._replies is None or self._stopped:
                    return
                with atomic(self._file) as temporary:
                    np.save(temporary, self._replies.cpu().numpy())
        self.settled = True

    def _ask(self) -> None:
        order = np.arange(self._count) if self._wanted is None else self._wanted()
        silent = self._wanted is not None  # the student's own bar is there
        with tqdm(
            total=self._count, desc="Asking the oracle", unit="image", unit_scale=True, disable=silent
        ) as progress:
            for start in range(0, self._count, self._chunk_size):
                if self._stopped:
                    return
                places = order[start : start + self._chunk_size]
                replies = self._oracle.ask(self._query(places))
                with self._came:
                    if self._replies is None:
                        self._replies = replies.new_empty(self._count, replies.shape[1])
                    self._replies[to_device(places, self._device)] = replies
                    self._known[places] = True
                    self._came.notify_all()
                progress.update(len(places))
