"""One job, from its configuration to its ``result.json``."""

import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from omegaconf import DictConfig

from mimicbench import examples, predictions, progress, protection, wandb_media
from mimicbench.checkpoints import CHECKPOINT
from mimicbench.errors import UserError
from mimicbench.examples import Examples
from mimicbench.files import require_writable, writing
from mimicbench.job import Job, assemble, rank_of
from mimicbench.loggers import closed, continue_curves
from mimicbench.mentors import NetworkMentor, model_file
from mimicbench.oracles.ledger import LEDGER, Ledger
from mimicbench.predictions import Predictions, predicted
from mimicbench.rank import Rank
from mimicbench.results import FILE, Queries, Result, described, versions
from mimicbench.schema import Config, check
from mimicbench.watermarks import evidence
from mimicbench.watermarks.marked import with_student

_log = logging.getLogger(__name__)


def run(cfg: DictConfig) -> Result | None:
    """Run one job: train or load the mentor, mimic it through the oracle, measure the student.

    Args:
        cfg: The composed configuration.

    Returns:
        What was measured; the same is in ``result.json`` in ``paths.output_dir``. None where several processes carry
        out the job, and this is not the first.

    Raises:
        UserError: A mistake in the configuration or in the data; its sentence says which.
    """
    config = check(cfg)
    folder = config.paths.output_dir
    require_writable(folder, "paths.output_dir")
    rank = rank_of(config)
    try:
        with _alone(folder) if rank.first else nullcontext():
            return _run(config, folder, rank)
    except SystemExit as end:
        sys.exit(end.code or 128 + signal.SIGTERM)  # Lightning ends with 0 when it is told to terminate


def _run(config: Config, folder: Path, rank: Rank) -> Result | None:
    if rank.first:
        stale = [FILE, progress.FILE, predictions.FILE, examples.FILE, evidence.FILE]  # what only a finished job leaves
        for name in stale if config.trainer.resume else [*stale, CHECKPOINT, LEDGER]:
            (folder / name).unlink(missing_ok=True)
    job = assemble(config)
    checkpoint = job.checkpoints.resumable if config.trainer.resume else None
    job.oracle.ledger = Ledger(folder / LEDGER, job.checkpoints.job, begin=rank.first)
    with closed(job.trainer.loggers):
        continue_curves(job.trainer.loggers, checkpoint)
        for logger in job.trainer.loggers:
            logger.log_hyperparams(_plain(config))
        job.trainer.fit(job.student, datamodule=job.attack, ckpt_path=checkpoint)
        if not rank.first:
            return None
        if job.oracle.budget is not None and job.oracle.asked < job.oracle.budget:
            _log.warning(
                "Of oracle.budget=%s, %s were asked: the attack asks about no more; see attack.samples_per_epoch, and "
                "how many images the pool holds.",
                job.oracle.budget,
                job.oracle.asked,
            )
        found, shown = _predictions(job), Examples.of(job.attack, job.mentor)
        result = _measured(job)  # the last to ask the mentor, so that all that it answered is counted
        with writing(folder, "paths.output_dir"):
            found.save(folder)
            if job.watermark is not None:
                job.watermark.evidence.save(folder)
            if shown is not None:
                shown.save(folder)
        result.save(folder)
        wandb_media.log(job.trainer.loggers, result, found, shown, folder)
    return result


def _predictions(job: Job) -> Predictions:
    evaluation = job.attack.val_dataloader()
    student_says = predicted(job.student.network, evaluation, job.hardware)
    labels = evaluation.labels.cpu().numpy()
    return Predictions(job.mentor.classes, labels, job.mentor_says.numpy(), student_says.numpy())


def _measured(job: Job) -> Result:
    config = job.config
    evaluation = job.attack.val_dataloader()
    images = len(evaluation.labels)
    with job.sharing:
        protected = protection.measured(job.oracle, job.mentor, job.attack, evaluation)
        mark = job.mark
        if job.watermark is not None and mark is not None:
            student = NetworkMentor(job.student.network, job.mentor.classes, job.hardware)
            mark = with_student(mark, job.watermark, student)
    # torchmetrics divides in float32
    measured = {name: round(share * images) / images for name, share in job.student.measured.items()}
    accuracy = measured["test/accuracy"]
    return Result(
        **{key: getattr(config, key)["name"] for key in ("task", "pool", "attack", "oracle", "mentor", "student")},
        seed=config.seed,
        mentor_accuracy=job.mentor_accuracy,
        student_accuracy=accuracy,
        relative_accuracy=accuracy / job.mentor_accuracy,
        fidelity=measured["test/fidelity"],
        queries=_queries(job),
        protection=protected,
        watermark=mark,
        epochs=job.trainer.current_epoch,
        sgd_steps=job.trainer.global_step,
        train_seconds=job.stopwatch.seconds,
        waited_seconds=job.attack.waited,
        samples_per_second=job.student.samples / job.stopwatch.seconds,
        device=job.device,
        precision=job.hardware.precision,
        threads=torch.get_num_threads(),
        code=job.code | {"earlier": [one for one in job.checkpoints.codes if one != described(job.code)]},
        versions=versions(),
        mentor_file=model_file.of(config.mentor),
        config=_plain(config),
    )


def _queries(job: Job) -> Queries:
    oracle, account = job.oracle, job.mentor.account
    repeated = max(0, oracle.ledger.total - oracle.asked) if oracle.ledger else 0
    asked = oracle.asked + repeated
    answered = asked if account is None else account.training
    return Queries(
        total=oracle.asked,
        unique=job.attack.unique_queries,
        budget=oracle.budget,
        repeated=repeated,
        answered=answered,
        reused=asked - answered,
        retried=0 if account is None else account.retried,
        in_doubt=0 if account is None else account.in_doubt,
        measuring=None if account is None else account.measuring,
        price=None if oracle.price_per_1000 is None else answered / 1000 * oracle.price_per_1000,
    )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep two processes from working in one folder."""
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(f"Another process works in {folder}; wait for it, or choose another folder.") from None
    try:
        yield
    finally:
        lock.release()


def _plain(config: Config) -> dict[str, Any]:
    return config.model_dump(mode="json")
