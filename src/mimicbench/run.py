"""One job, from its configuration to its ``result.json``: the only place that builds what the configuration names."""

import logging
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L  # noqa: N812 (Lightning's own convention)
import torch
from filelock import FileLock, Timeout
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from omegaconf import DictConfig
from torch import Tensor

from mimicbench import examples, predictions, progress, protection, wandb_media
from mimicbench.attacks import Attack
from mimicbench.checkpoints import CHECKPOINT, AtomicCheckpointIO, Checkpoints
from mimicbench.counter_rng import seed_for
from mimicbench.curves import Curves
from mimicbench.errors import UserError
from mimicbench.evaluation import Evaluation
from mimicbench.examples import Examples
from mimicbench.files import require_writable, writing
from mimicbench.fingerprint import fingerprint
from mimicbench.hardware import Hardware, limit_threads
from mimicbench.in_step import InStep
from mimicbench.loggers import closed, continue_curves
from mimicbench.mentors import Mentor
from mimicbench.networks.synchronised import SynchroniseBatchNorm
from mimicbench.oracles import Oracle
from mimicbench.oracles.ledger import LEDGER, Ledger
from mimicbench.oracles.owner import Owner
from mimicbench.pools import Pool
from mimicbench.predictions import Predictions, predicted
from mimicbench.rank import Rank
from mimicbench.resident import ResidentImages
from mimicbench.results import FILE, Queries, Result, code, described, versions
from mimicbench.schema import Config, arguments, build, check
from mimicbench.sharing import SharedCores
from mimicbench.stopwatch import Stopwatch
from mimicbench.student import Student
from mimicbench.tasks import Task

_log = logging.getLogger(__name__)
_ON_THE_WAY = ("recipe", "augment", "chunk_size", "use")  # keys of an attack that change no reply


@dataclass(frozen=True)
class Job:
    """Everything that a configuration names, built and put together, ready for ``trainer.fit(student, attack)``.

    Attributes:
        config: The checked configuration.
        hardware: Where it runs.
        mentor: What is mimicked.
        oracle: The door to it.
        attack: What is asked and learned from.
        student: What learns.
        trainer: What makes it learn.
        stopwatch: How long it has learned.
        sharing: Whether it had the machine to itself.
        checkpoints: Where it goes on if it was cut off.
        code: What carries it out.
        rank: This process among those that carry it out together.
        mentor_accuracy: The mentor's, on the task's test images.
        mentor_says: Its probabilities for them, float32 [N, K].
    """

    config: Config
    hardware: Hardware
    mentor: Mentor
    oracle: Oracle
    attack: Attack
    student: Student
    trainer: L.Trainer
    stopwatch: Stopwatch
    sharing: SharedCores
    checkpoints: Checkpoints
    code: dict[str, Any]
    rank: Rank
    mentor_accuracy: float
    mentor_says: Tensor

    @property
    def device(self) -> str:
        """Where it ran, in words, for results."""
        several = f"{self.rank.count} × " if self.rank.count > 1 else ""
        return several + self.hardware.name + (", at times shared with other jobs" if self.sharing.shared else "")


def assemble(config: Config) -> Job:
    """Build a job; trains the mentor if need be.

    Raises:
        UserError: A mistake in the configuration or in the data; its sentence says which.
    """
    source = code()  # now, for it may change while the job runs
    limit_threads()
    wanted = config.trainer
    rank = _rank(config)
    _quieten(rank)
    hardware = Hardware.choose(wanted.accelerator, wanted.precision, wanted.sgd_step, wanted.devices, rank)

    task: Task = build("task", config.task, config.paths)
    pool: Pool = build("pool", config.pool, config.paths, task.size)
    budget = arguments("oracle", config.oracle)["budget"]
    attack: Attack = build("attack", config.attack, pool, config.seed, config.trainer.max_epochs, budget)
    if config.pool in config.oracle.values():
        _log.warning("The mentor's owner trains on the attacker's own pool, which no owner knows; choose another one.")
    planned = sum(map(attack.samples, range(attack.epochs)))
    if planned < (whole := attack.samples_per_epoch * config.trainer.max_epochs):
        _log.warning("oracle.budget=%s ends the training after %s of %s samples.", budget, planned, whole)
    mentor: Mentor = build("mentor", config.mentor, task, config.paths, hardware)
    oracle: Oracle = build("oracle", config.oracle, mentor, Owner(task, config.paths, hardware))

    images = ResidentImages(task.test.images, hardware.device)
    labels = torch.from_numpy(task.test.labels)
    sharing = SharedCores.of(hardware, config.paths, config.trainer.devices)
    with sharing:
        mentor_says = torch.cat([mentor(batch) for batch in images.batches()]).cpu()
    mentor_labels = mentor_says.argmax(1)
    mentor_accuracy = int((mentor_labels == labels).sum()) / len(labels)
    if not mentor_accuracy:
        raise UserError("The mentor is right on no test image; see that the classes of mentor and task are the same.")
    if mentor_accuracy < 1.5 / len(task.classes):
        _log.warning(
            "The mentor is right on %.2f %% of the test images, hardly more than chance: what copies it proves little.",
            100 * mentor_accuracy,
        )
    evaluation = Evaluation(images, labels, mentor_labels, rank)
    attack.attach(oracle, evaluation, hardware.device, _replies(config, mentor, oracle, pool), rank)

    L.seed_everything(seed_for("student", config.seed), workers=True, verbose=False)
    network = build("student", config.student, len(task.classes), task.size, attack.recipe.dropout)
    student = Student(hardware.fast(network), attack.recipe, attack.steps, len(task.classes), hardware.recorder, rank)
    stopwatch = Stopwatch()
    notes = progress.ProgressNotes(config.paths.output_dir, "student")
    shaped_by = fingerprint(
        mentor.fingerprint, oracle.fingerprint, pool.fingerprint, hardware.precision, _shaping(config), versions()
    )
    file, minutes = config.paths.output_dir / CHECKPOINT, config.trainer.checkpoint_minutes
    checkpoints = Checkpoints(file, shaped_by, minutes, described(source))
    if rank.first and checkpoints.resumable is None:  # before there are loggers, which would go on from it
        file.unlink(missing_ok=True)
    in_step = InStep(rank, shaped_by, file)
    own = [in_step, sharing, stopwatch, Curves(oracle, stopwatch), notes, checkpoints]
    trainer = _trainer(config, hardware, rank, attack.epochs, own)
    parts = (mentor, oracle, attack, student, trainer, stopwatch, sharing, checkpoints, source, rank)
    return Job(config, hardware, *parts, mentor_accuracy, mentor_says)


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
    rank = _rank(config)
    try:
        with _alone(folder) if rank.first else nullcontext():
            return _run(config, folder, rank)
    except SystemExit as end:
        sys.exit(end.code or 128 + signal.SIGTERM)  # Lightning ends with 0 when it is told to terminate


def _run(config: Config, folder: Path, rank: Rank) -> Result | None:
    if rank.first:
        stale = [FILE, progress.FILE, predictions.FILE, examples.FILE]  # a job without a result did not finish
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
        result, found, shown = _measured(job), _predictions(job), Examples.of(job.attack, job.mentor)
        with writing(folder, "paths.output_dir"):
            found.save(folder)
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
    config, asked, ledger = job.config, job.oracle.asked, job.oracle.ledger
    evaluation = job.attack.val_dataloader()
    images = len(evaluation.labels)
    with job.sharing:
        protected = protection.measured(job.oracle, job.mentor, job.attack, evaluation)
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
        queries=Queries(
            asked, job.attack.unique_queries, job.oracle.budget, max(0, ledger.total - asked) if ledger else 0
        ),
        protection=protected,
        epochs=job.trainer.current_epoch,
        sgd_steps=job.trainer.global_step,
        train_seconds=job.stopwatch.seconds,
        samples_per_second=job.student.samples / job.stopwatch.seconds,
        device=job.device,
        precision=job.hardware.precision,
        threads=torch.get_num_threads(),
        code=job.code | {"earlier": [one for one in job.checkpoints.codes if one != described(job.code)]},
        versions=versions(),
        config=_plain(config),
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


def _rank(config: Config) -> Rank:
    """This process among those that carry out the job.

    Raises:
        UserError: There are to be several, and the others cannot be started from here.
    """
    rank = Rank.of_this_process(config.trainer.devices, config.trainer.num_nodes)
    in_sweep = HydraConfig.initialized() and HydraConfig.get().mode is RunMode.MULTIRUN
    if rank.count > 1 and in_sweep and not Rank.started_from_outside():
        raise UserError(
            f"A job on {rank.count} devices needs processes of its own, which this launcher does not give it; "
            "choose hydra/launcher=process."
        )
    if config.trainer.num_nodes > 1 and not Rank.started_from_outside() and "MASTER_ADDR" not in os.environ:
        raise UserError(
            "trainer.num_nodes is more than 1, but nothing says where the other machines are; start the job by "
            "torchrun or with hydra/launcher=slurm."
        )
    return rank


def _shaping(config: Config) -> dict[str, Any]:
    """The part of a configuration that shapes the student."""
    outside: Any = {"paths": True, "logger": True, "callbacks": True}
    outside |= {"mentor": {"checkpoint_minutes"}, "oracle": {"checkpoint_minutes"}}
    kept = {"resume", "checkpoint_minutes", "enable_model_summary", "num_sanity_val_steps", "log_every_n_steps"}
    return config.model_dump(mode="json", exclude=outside | {"trainer": kept})


def _quieten(rank: Rank) -> None:
    if not rank.first:
        logging.getLogger("mimicbench").setLevel(logging.ERROR)
    for name in ("lightning.pytorch", "lightning.fabric"):  # they greet each Trainer, and each rank, anew
        logging.getLogger(name).setLevel(logging.WARNING)
    # The job's folder already holds Hydra's files, and perhaps an earlier attempt; the third is Lightning's own affair.
    # What "step" is does not differ between ranks.
    for message in ("Experiment logs directory", "Checkpoint directory", ".*LeafSpec", ".*sync_dist"):
        warnings.filterwarnings("ignore", message)


def _trainer(config: Config, hardware: Hardware, rank: Rank, epochs: int, own: list[L.Callback]) -> L.Trainer:
    loggers = [build(f"logger.{key}", node) for key, node in config.logger.items() if rank.first]
    callbacks = [build(f"callbacks.{key}", node) for key, node in config.callbacks.items()]
    settled = {"precision": hardware.precision, "accelerator": hardware.accelerator, "max_epochs": epochs}
    on_gpu = hardware.accelerator == "gpu"
    plugins: list[Any] = [AtomicCheckpointIO("paths.output_dir")]
    if not on_gpu:
        plugins.append(SynchroniseBatchNorm())
    if rank.count == 1:
        plugins.append(LightningEnvironment())  # one process, whatever SLURM started
    elif SLURMEnvironment.detect():
        plugins.append(SLURMEnvironment(auto_requeue=False))  # submitit does that, and the job's own checkpoint serves
    extra = {
        "logger": loggers,
        "callbacks": [*callbacks, *own],
        "plugins": plugins,
        "sync_batchnorm": on_gpu,
        "reload_dataloaders_every_n_epochs": 1,
    }
    trainer: L.Trainer = build("trainer", config.trainer.lightning() | settled | extra)
    return trainer


def _replies(config: Config, mentor: Mentor, oracle: Oracle, pool: Pool) -> Path:
    """Where replies that are asked for once are kept: beside the run, named by all that they depend on."""
    queries = {key: value for key, value in config.attack.items() if key not in _ON_THE_WAY}
    protection = {key: value for key, value in config.oracle.items() if key != "checkpoint_minutes"}
    name = fingerprint(mentor.fingerprint, oracle.fingerprint, pool.fingerprint, protection, queries, config.seed)
    return config.paths.output_dir / "replies" / f"{name}.npy"


def _plain(config: Config) -> dict[str, Any]:
    return config.model_dump(mode="json")
