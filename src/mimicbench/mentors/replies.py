"""Replies that were paid for, on disk before they are used."""

import sqlite3
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock

from mimicbench.errors import UserError
from mimicbench.files import writing

_TABLES = """
CREATE TABLE IF NOT EXISTS replies (
    image BLOB PRIMARY KEY, answer BLOB NOT NULL, payer TEXT NOT NULL, training INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sent (request TEXT PRIMARY KEY, images INTEGER NOT NULL, payer TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS lost (payer TEXT PRIMARY KEY, images INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS retried (payer TEXT PRIMARY KEY, requests INTEGER NOT NULL);
"""
_AT_ONCE = 500  # names in one question


@dataclass(frozen=True)
class Account:
    """What one job has had of a mentor that is paid for.

    Attributes:
        training: Images that were answered to train its student.
        measuring: Images that were answered to measure mentor and student.
        in_doubt: Images of requests that ended without a usable reply, for the process was killed or the server failed:
            nobody knows whether they were answered, and charged.
        retried: Requests that were sent again.
    """

    training: int
    measuring: int
    in_doubt: int
    retried: int


class Replies:
    """All replies of one mentor in one mode, in SQLite, one transaction a request.

    A reply is on the disk before it is used, so that neither a crash nor another run pays for an image twice. What is
    sent is noted before: what a killed process had sent and not yet kept is
    counted as in doubt, and asked again.

    Args:
        file: Of this mentor and mode.

    Raises:
        UserError: The file cannot be written, or is no such store.
    """

    def __init__(self, file: Path) -> None:
        self.payer = ""
        """Names the job that is charged."""
        self._lock = threading.Lock()
        self._alone = FileLock(file.with_suffix(".lock"))
        with writing(file.parent, "paths.cache_dir"):
            try:
                self._store = _connected(file, "FULL")  # each request is flushed to the disk: it cost money
                self._notes = _connected(file, "NORMAL")  # a note that only a failing machine forgets may do
                self._store.executescript(_TABLES)
            except sqlite3.OperationalError as error:
                raise UserError(f"{file} cannot be opened ({error}); see paths.cache_dir.") from None
            except sqlite3.DatabaseError as error:
                raise UserError(f"{file} is damaged ({error}); move it away, and its replies are lost.") from None

    def alone(self) -> AbstractContextManager[object]:
        """Keep other jobs from asking meanwhile, for they might ask about the same images."""
        return self._alone.acquire()

    def find(self, images: Sequence[bytes]) -> dict[bytes, np.ndarray]:
        """Those that are kept, float32 [K] each, by the images' names."""
        found: dict[bytes, np.ndarray] = {}
        with self._lock:
            for start in range(0, len(images), _AT_ONCE):
                names = images[start : start + _AT_ONCE]
                places = ",".join("?" * len(names))
                rows = self._store.execute(f"SELECT image, answer FROM replies WHERE image IN ({places})", names)
                found |= {image: np.frombuffer(answer, dtype="<f4") for image, answer in rows}
        return found

    def sending(self, request: str, images: int) -> None:
        """Note a request that is about to be sent."""
        with self._lock:
            self._notes.execute("INSERT OR REPLACE INTO sent VALUES (?, ?, ?)", (request, images, self.payer))

    def again(self, request: str, doubtful: bool) -> None:
        """Note that a request is about to be sent again.

        Args:
            request: As it was noted.
            doubtful: Whether the server may have answered it before.
        """
        with self._lock, self._notes:
            self._notes.execute("BEGIN")
            self._notes.execute(
                "INSERT INTO retried VALUES (?, 1) ON CONFLICT (payer) DO UPDATE SET requests = requests + 1",
                (self.payer,),
            )
            if doubtful:
                self._notes.execute(
                    "INSERT INTO lost SELECT payer, images FROM sent WHERE request = ? "
                    "ON CONFLICT (payer) DO UPDATE SET images = images + excluded.images",
                    (request,),
                )

    def keep(self, request: str, images: Sequence[bytes], answers: np.ndarray, *, training: bool) -> None:
        """Keep the replies to a request.

        Args:
            request: As it was noted.
            images: Names of N images.
            answers: float32 [N, K].
            training: Whether a student learns from them.
        """
        rows = [
            (image, answer.astype("<f4").tobytes(), self.payer, training)
            for image, answer in zip(images, answers, strict=True)
        ]
        with self._lock, self._store:
            self._store.execute("BEGIN")
            self._store.executemany("INSERT OR IGNORE INTO replies VALUES (?, ?, ?, ?)", rows)
            self._store.execute("DELETE FROM sent WHERE request = ?", (request,))

    def settle(self) -> None:
        """Count what is in doubt. Only while :meth:`alone` and nothing is under way."""
        with self._lock, self._store:
            self._store.execute("BEGIN")
            self._store.execute(
                "INSERT INTO lost SELECT payer, SUM(images) FROM sent WHERE true GROUP BY payer "
                "ON CONFLICT (payer) DO UPDATE SET images = images + excluded.images"
            )
            self._store.execute("DELETE FROM sent")

    @property
    def account(self) -> Account:
        """Of this job."""
        with self._lock:
            paid = dict(
                self._store.execute(
                    "SELECT training, COUNT(*) FROM replies WHERE payer = ? GROUP BY training", (self.payer,)
                ).fetchall()
            )
            lost = self._store.execute("SELECT images FROM lost WHERE payer = ?", (self.payer,)).fetchone()
            again = self._store.execute("SELECT requests FROM retried WHERE payer = ?", (self.payer,)).fetchone()
        return Account(paid.get(1, 0), paid.get(0, 0), lost[0] if lost else 0, again[0] if again else 0)


def _connected(file: Path, synchronous: str) -> sqlite3.Connection:
    store = sqlite3.connect(file, isolation_level=None, check_same_thread=False, timeout=60)
    store.execute("PRAGMA journal_mode=WAL")
    store.execute(f"PRAGMA synchronous={synchronous}")
    return store
