"""Jobs side by side on one machine divide its cores among themselves."""

import getpass
import os
import tempfile
from pathlib import Path
from typing import Any

import lightning as L  # noqa: N812 (Lightning's own convention)
import torch
from filelock import FileLock, Timeout

from mimicbench.fingerprint import fingerprint
from mimicbench.hardware import cores


class SharedCores(L.Callback):
    """Before every chunk, give PyTorch as many threads as there are cores for each job that trains at the moment.

    The threads of two jobs that both use all cores wait for each other, and each job takes far more than twice its
    time. Every job therefore holds a lock file while it trains, one for each core at most; how many are held says how
    many jobs share the cores. Jobs that are confined to other cores are not counted.

    Args:
        folder: Where the lock files lie; None for a place that all jobs of this user and these cores know.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._most = min(torch.get_num_threads(), cores())
        self._folder = (
            folder or Path(tempfile.gettempdir()) / f"mimicbench-{fingerprint(getpass.getuser(), _allowed())}"
        )
        self._held: FileLock | None = None

    def on_train_batch_start(self, *_: Any) -> None:
        """Divide the cores anew."""
        if self._most > 1:
            torch.set_num_threads(max(1, min(self._most, cores() // self._jobs())))

    def teardown(self, *_: Any, **__: Any) -> None:
        """Leave the cores to the other jobs."""
        if self._held is not None:
            self._held.release()
            self._held = None
        torch.set_num_threads(self._most)

    def _jobs(self) -> int:
        """How many jobs train now, this one included; makes this one known."""
        jobs = 1
        try:
            self._folder.mkdir(exist_ok=True)
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
        except OSError:  # no place for temporary files: nothing to go by
            return 1
        return jobs


def _allowed() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
