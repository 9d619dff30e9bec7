"""What a job leaves behind, and many of them as one table."""

import json
import platform
import subprocess
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_origin

if TYPE_CHECKING:
    import pandas as pd

from mimicbench.files import atomic, writing

FILE = "result.json"
_NESTED = ("queries", "protection", "watermark", "code")
_KNOWN_BY = {"task", "pool", "attack", "oracle", "seed", "student_accuracy"}  # in every layout so far


@dataclass(frozen=True)
class Queries:
    """Images sent to the oracle to be answered for training.

    Attributes:
        total: All of them.
        unique: How many of them differ.
        budget: The most that the oracle would have answered; None for no limit.
        repeated: Sent on top of these, for a process was killed before what it had asked was learned and saved.
        answered: Of all these, how many the mentor itself had to answer; None in results of an older layout.
        reused: How many had been answered before, to this job or another, and were kept.
        retried: Requests that were sent again, for the server had failed or put them off.
        in_doubt: Sent when a process was killed or the server failed, and never kept: nobody knows whether they were
            answered, and perhaps charged.
        measuring: Images that the mentor answered besides, to measure mentor and student; None where that is free.
        price: What ``answered`` costs, by ``oracle.price_per_1000``; None without a price.
    """

    total: int
    unique: int
    budget: int | None
    repeated: int
    answered: int | None = None
    reused: int = 0
    retried: int = 0
    in_doubt: int = 0
    measuring: int | None = None
    price: float | None = None


@dataclass(frozen=True)
class Protection:
    """The replies of an oracle beside the mentor's own answers. Asking for this counts as no query: the owner looks.

    Attributes:
        keeps_argmax: Whether the oracle promises that each reply names the mentor's class.
        mentor_accuracy: The mentor's on the task's test images, as seen through the protection.
        calibration_error: Expected calibration error there, as seen through it; 15 bins of equal width.
        unprotected_calibration_error: The mentor's own.
        distortion: Mean L1 distance of a reply from the mentor's probabilities on the test images, 0 to 2.
        query_distortion: The same on the attacker's queries; None where the attack cannot tell them.
        changed_queries: Share of the attacker's queries whose reply names another class than the mentor; None likewise.
        measured_queries: On how many of the attacker's first queries both were measured.
        microseconds_per_query: What the protection adds to the time of a query, over the test images; where others
            answer in the mentor's place, what they take.
        mentor_microseconds_per_query: What the mentor itself takes for one.
    """

    keeps_argmax: bool
    mentor_accuracy: float
    calibration_error: float
    unprotected_calibration_error: float
    distortion: float
    query_distortion: float | None
    changed_queries: float | None
    measured_queries: int
    microseconds_per_query: float
    mentor_microseconds_per_query: float


@dataclass(frozen=True)
class Mark:
    """What a mark did to the mentor, and whether the student shows it.

    Attributes:
        scheme: Its name.
        key: The owner's secret, from which it was made.
        size: How many triggers, or bits, it has.
        mentor_score: How much of it the marked mentor shows, from 0 to 1: the share of triggers to which it says what
            the owner wants, or of bits that are right; None where that is not defined.
        unmarked_score: The same of a mentor of the same recipe and seed without the mark.
        accuracy_lost: By how much the marked one is less accurate on the task's test images.
        took: Whether the mark can serve: a score of 0.9 at least, and 0.02 of accuracy lost at most.
        student_score: How much of it the student shows; None where that is not defined.
        claimed: Whether that is enough for the owner to claim the student.
    """

    scheme: str
    key: int
    size: int
    mentor_score: float | None
    unmarked_score: float | None
    accuracy_lost: float
    took: bool
    student_score: float | None
    claimed: bool


@dataclass(frozen=True)
class Result:
    """One finished job. Accuracies are fractions; the last epoch's student is the one measured.

    Attributes:
        task: Name of the task.
        pool: Name of the pool.
        attack: Name of the attack.
        oracle: Name of the oracle.
        mentor: Name of the mentor.
        student: Name of the student's network.
        seed: The student's seed.
        mentor_accuracy: The mentor's, on the task's test images.
        student_accuracy: The student's, on the same.
        relative_accuracy: The student's accuracy divided by the mentor's.
        fidelity: Share of test images on which student and mentor give the same label.
        queries: What was asked.
        protection: What the oracle costs the mentor's owner, and what it changes.
        watermark: What the mentor was marked with; None for no mark.
        epochs: Epochs of the student.
        sgd_steps: SGD steps of the student.
        train_seconds: Wall time of the student's training, asking included, evaluation not.
        waited_seconds: Of these, how long the student waited for samples and replies, by the CPU's clock.
        samples_per_second: Training samples by ``train_seconds``.
        device: Where it ran.
        precision: In which arithmetic.
        threads: Of PyTorch on the CPU, where no other job took some.
        code: ``commit`` that this code was checked out from, and whether it was ``dirty``, changed since; None each
            where it was not checked out. ``earlier`` names what other code trained before a kill.
        versions: Of Python and of the packages that the numbers depend on.
        mentor_file: A name of all bytes of ``mentor.path`` or ``mentor.checkpoint``; None where there is none.
        config: The whole configuration, resolved.
    """

    task: str
    pool: str
    attack: str
    oracle: str
    mentor: str
    student: str
    seed: int
    mentor_accuracy: float
    student_accuracy: float
    relative_accuracy: float
    fidelity: float
    queries: Queries
    protection: Protection
    watermark: Mark | None
    epochs: int
    sgd_steps: int
    train_seconds: float
    waited_seconds: float
    samples_per_second: float
    device: str
    precision: str
    threads: int
    code: dict[str, Any]
    versions: dict[str, str]
    mentor_file: str | None
    config: dict[str, Any]

    def save(self, folder: Path) -> None:
        """Write ``result.json`` into a job's folder, whole or not at all.

        Raises:
            UserError: It cannot be written.
        """
        with writing(folder, "paths.output_dir"), atomic(folder / FILE) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=2) + "\n")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that the numbers depend on."""
    packages = ("mimicbench", "torch", "lightning", "torchmetrics", "numpy")
    return {"python": platform.python_version()} | {package: version(package) for package in packages}


def code() -> dict[str, Any]:
    """The commit that this code was checked out from, and whether it was changed since."""
    try:
        _git("ls-files", "--error-unmatch", __file__)
        commit, changes = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "--untracked-files=no")
        added = _git("status", "--porcelain", "--", ":/src", ":/conf")
    except (OSError, subprocess.CalledProcessError):
        return {"commit": None, "dirty": None}
    return {"commit": commit.strip(), "dirty": bool(changes or added)}


def described(source: dict[str, Any]) -> str:
    """What :func:`code` returns, in a word."""
    return f"{source['commit']}{' and changes' if source['dirty'] else ''}"


def _git(*command: str) -> str:
    folder = str(Path(__file__).parent)
    return subprocess.run(
        ["git", "--no-optional-locks", "-C", folder, *command], capture_output=True, text=True, check=True
    ).stdout


def load(*folders: Path) -> "pd.DataFrame":
    """The results under some folders, such as sweeps: one row a finished job, in the order of their paths.

    Args:
        folders: Searched for ``result.json`` at any depth; files of that name that no job wrote are passed over.

    Returns:
        Columns as the keys of ``result.json``, those of ``queries``, ``protection``, ``watermark`` and ``code`` as
        ``queries.total`` and so on, and ``folder``. ``versions`` and ``config`` stay dictionaries. What a result of
        an older layout lacks is NaN. Empty if nothing has finished.
    """
    import pandas as pd  # here, for a job has no need of its 60 MB

    jobs = [file.parent for folder in folders for file in sorted(folder.rglob(FILE), key=_natural)]
    rows = [_flat(row) | {"folder": str(job)} for job in jobs if (row := read(job)) is not None]
    return pd.DataFrame(rows, columns=_columns(rows) if rows else None)


def read(job: Path) -> dict[str, Any] | None:
    """What ``result.json`` in a job's folder holds; None where there is none, or it is damaged or another program's.

    A job's has what every layout has, and nothing of another type than here.
    """
    try:
        row = json.loads((job / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    types: dict[Any, Any] = {str: str, int: int, float: (int, float), dict: dict}
    kinds = {one.name: types.get(get_origin(one.type) or one.type, object) for one in fields(Result)}
    known = isinstance(row, dict) and row.keys() >= _KNOWN_BY
    return row if known and all(isinstance(row[name], kind) for name, kind in kinds.items() if name in row) else None


def _columns(rows: list[dict[str, Any]]) -> list[str]:
    """Those of this layout, which older results may lack, and whatever else there is."""
    nested = {
        "queries": [f"queries.{one.name}" for one in fields(Queries)],
        "protection": [f"protection.{one.name}" for one in fields(Protection)],
        "watermark": [f"watermark.{one.name}" for one in fields(Mark)],
        "code": ["code.commit", "code.dirty"],
    }
    own = [name for one in fields(Result) for name in nested.get(one.name, [one.name])]
    return list(dict.fromkeys([*own, *(key for row in rows for key in row)]))


def flat(result: Result) -> dict[str, Any]:
    """The values of a result that are neither its versions nor its configuration, ``queries.total`` for nested ones."""
    return {key: value for key, value in _flat(asdict(result)).items() if key not in ("versions", "config")}


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    parts = {name: row[name] for name in _NESTED if isinstance(row.get(name), dict)}
    nested = {f"{name}.{key}": value for name, part in parts.items() for key, value in part.items()}
    return {key: value for key, value in row.items() if key not in _NESTED} | nested


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sorts ``10-…`` after ``9-…``."""
    return [(int(head) if (head := part.partition("-")[0]).isdigit() else -1, part) for part in path.parts]
