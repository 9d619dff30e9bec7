"""Jobs side by side on one machine divide its cores among themselves."""

import os
import tempfile
from pathlib import Path
from time import monotonic
from typing import Any

import lightning as L  # noqa: N812 (Lightning's own convention)
import torch
from filelock import FileLock, Timeout

from mimicbench.fingerprint import fingerprint
from mimicbench.hardware import Hardware, cores, has_own_cores
from mimicbench.paths import Paths

_SECONDS = 0.5  # between two looks at the other jobs


class SharedCores(L.Callback):
    """While it trains, give PyTorch as many threads as there are cores for each job that trains at the moment.

    The threads of two jobs that both use all cores wait for each other, and each job takes far more than twice its
    time. So a job holds one of as many lock files as there are cores while it trains; how many of them are held says
    how many jobs there are. A job with another number of threads adds its floats in another order: to repeat a run to
    the last bit, run it alone.

    Args:
        folder: Where the lock files lie: jobs that know the same folder share cores.
        most: Threads of a job that has the cores to itself; with 1 it does not share.
        ranks: Processes of this job that share the same cores, each with a lock file of its own.

    Attributes:
        shared: Whether there ever was another job.
    """

    def __init__(self, folder: Path, most: int, ranks: int = 1) -> None:
        self._folder = folder
        self._shares = most > 1
        self._most = max(1, most // ranks)
        self._ranks = ranks
        self._held: FileLock | None = None
        self._looked = 0.0
        self.shared = False

    @classmethod
    def of(cls, hardware: Hardware, paths: Paths, ranks: int = 1) -> "SharedCores":
        """For all jobs of this user that may run on the same cores, and the ranks of this one on this machine.

        Jobs on a GPU need one thread: they share nothing.
        """
        allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        user = os.getuid() if hasattr(os, "getuid") else ""
        folder = paths.locks_dir or Path(tempfile.gettempdir()) / f"mimicbench-{user}"
        alone = hardware.device.type != "cpu"
        sharers = 1 if has_own_cores() else ranks
        return cls(folder / fingerprint(allowed), 1 if alone else min(torch.get_num_threads(), cores()), sharers)

    def state_dict(self) -> dict[str, Any]:
        """What a run that goes on must know."""
        return {"shared": self.shared}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Remember it."""
        self.shared |= state_dict["shared"]

    def __enter__(self) -> None:
        """Divide the cores, for heavy work outside the training."""
        self.divide()

    def __exit__(self, *_: object) -> None:
        """Leave them to the other jobs."""
        self.teardown()

    def on_train_batch_start(self, *_: Any) -> None:
        """Divide the cores anew before every chunk."""
        self.divide()

    def on_validation_batch_start(self, *_: Any) -> None:
        """And while the student is measured."""
        self._divide_now_and_then()

    def on_before_optimizer_step(self, *_: Any) -> None:
        """And within a chunk, which takes very long where two jobs think that all cores are theirs."""
        self._divide_now_and_then()

    def _divide_now_and_then(self) -> None:
        if monotonic() - self._looked > _SECONDS:
            self.divide()

    def divide(self) -> None:
        """Take this job's share of the cores."""
        if self._shares:
            self._looked = monotonic()
            jobs = self._jobs()
            self.shared |= jobs > self._ranks
            torch.set_num_threads(max(1, min(self._most, cores() // jobs)))

    def on_exception(self, *_: Any) -> None:
        """Leave the cores to the other jobs; Lightning tears nothing down after a failure."""
        self.teardown()

    def teardown(self, *_: Any, **__: Any) -> None:
        """Leave the cores to the other jobs."""
        if self._held is not None:
            self._held.release()
            self._held = None
        if self._shares:
            torch.set_num_threads(self._most)

    def _jobs(self) -> int:
        """How many jobs train now, this one included; makes this one known."""
        jobs = 1
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for number in range(cores()):
                file = self._folder / f"{number}.lock"
                if self._held is not None and self._held.lock_file == str(file):
                    continue
                lock = FileLock(file)
                try:
                    lock.acquire(timeout=0)
                except Timeout:
                    jobs += 1
                    continue
                if self._held is None:
                    self._held = lock
                else:
                    lock.release()
        except OSError:  # no place to write: nothing to go by
            return 1
        return jobs
