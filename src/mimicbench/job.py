"""One job, put together from its configuration."""

import logging
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L  # noqa: N812 (Lightning's own convention)
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from torch import Tensor

from mimicbench import progress
from mimicbench.attacks import Attack
from mimicbench.checkpoints import CHECKPOINT, AtomicCheckpointIO, Checkpoints
from mimicbench.counter_rng import seed_for
from mimicbench.curves import Curves
from mimicbench.errors import UserError
from mimicbench.evaluation import Evaluation
from mimicbench.fingerprint import fingerprint
from mimicbench.guarded import Guarded
from mimicbench.hardware import Hardware, limit_threads
from mimicbench.in_step import InStep
from mimicbench.mentors import Mentor
from mimicbench.networks.synchronised import SynchroniseBatchNorm
from mimicbench.oracles import Oracle
from mimicbench.pools import Pool
from mimicbench.rank import Rank
from mimicbench.resident import ResidentImages
from mimicbench.results import Mark, code, described, versions
from mimicbench.schema import Config, arguments, build
from mimicbench.sharing import SharedCores
from mimicbench.stopwatch import Stopwatch
from mimicbench.student import Student
from mimicbench.tasks import Task
from mimicbench.watermarks import Watermark
from mimicbench.watermarks.marked import marked

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
        watermark: What the mentor was marked with, if anything.
        mark: What that did to it.
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
    watermark: Watermark | None
    mark: Mark | None

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
    rank = rank_of(config)
    _quieten(rank)
    hardware = Hardware.choose(wanted.accelerator, wanted.precision, wanted.sgd_step, wanted.devices, rank)

    task: Task = build("task", config.task, config.paths)
    pool: Pool = build("pool", config.pool, config.paths, task.size)
    budget = arguments("oracle", config.oracle)["budget"]
    attack: Attack = build("attack", config.attack, pool, config.seed, config.trainer.max_epochs, budget)
    _warn_of_shared_images(config)
    planned = sum(map(attack.samples, range(attack.epochs)))
    if planned < (whole := attack.samples_per_epoch * config.trainer.max_epochs):
        _log.warning("oracle.budget=%s ends the training after %s of %s samples.", budget, planned, whole)
    guarded = Guarded.of(config, task, hardware)
    mentor, oracle, watermark = guarded.mentor, guarded.oracle, guarded.watermark

    images = ResidentImages(task.test.images, hardware.device)
    labels = torch.from_numpy(task.test.labels)
    sharing = SharedCores.of(hardware, config.paths, config.trainer.devices)
    shaped_by = fingerprint(
        mentor.fingerprint, oracle.fingerprint, pool.fingerprint, hardware.precision, _shaping(config), versions()
    )
    mentor.paid_by(f"{config.paths.output_dir.resolve()} {shaped_by}")
    with sharing:
        mentor_says = mentor.answers(images)
    mentor_labels = mentor_says.argmax(1)
    mentor_accuracy = _accuracy(mentor_labels, labels)
    _require_knowledge(mentor_accuracy, len(task.classes))
    mark = None
    if watermark is not None:
        unmarked: Mentor = build("mentor", config.mentor, task, config.paths, hardware)
        with sharing:
            lost = _accuracy(unmarked.answers(images).argmax(1), labels) - mentor_accuracy
            mark = marked(watermark, mentor, unmarked, lost)
    evaluation = Evaluation(images, labels, mentor_labels, rank)
    attack.attach(oracle, evaluation, hardware.device, _replies(config, mentor, oracle, pool), rank)

    L.seed_everything(seed_for("student", config.seed), workers=True, verbose=False)
    network = build("student", config.student, len(task.classes), task.size, attack.recipe.dropout)
    student = Student(hardware.fast(network), attack.recipe, attack.steps, len(task.classes), hardware.recorder, rank)
    stopwatch = Stopwatch()
    notes = progress.ProgressNotes(config.paths.output_dir, "student")
    file, minutes = config.paths.output_dir / CHECKPOINT, config.trainer.checkpoint_minutes
    checkpoints = Checkpoints(file, shaped_by, minutes, described(source))
    if rank.first and checkpoints.resumable is None:  # before there are loggers, which would go on from it
        file.unlink(missing_ok=True)
    in_step = InStep(rank, shaped_by, file)
    own = [in_step, sharing, stopwatch, Curves(oracle, stopwatch), notes, checkpoints]
    trainer = _trainer(config, hardware, rank, attack.epochs, own)
    parts = (mentor, oracle, attack, student, trainer, stopwatch, sharing, checkpoints, source, rank)
    return Job(config, hardware, *parts, mentor_accuracy, mentor_says, watermark, mark)


def _warn_of_shared_images(config: Config) -> None:
    """Of an owner who uses the attacker's own pool."""
    if config.pool in config.oracle.values():
        _log.warning("The mentor's owner trains on the attacker's own pool, which no owner knows; choose another one.")
    if config.pool in config.watermark.values():
        _log.warning("The triggers of the mark lie in the attacker's own pool; choose another one for either.")


def _require_knowledge(accuracy: float, classes: int) -> None:
    """Refuse a mentor that knows nothing of its task, and warn of one that knows little."""
    if not accuracy:
        raise UserError("The mentor is right on no test image; see that the classes of mentor and task are the same.")
    if accuracy < 1.5 / classes:
        _log.warning(
            "The mentor is right on %.2f %% of the test images, hardly more than chance: what copies it proves little.",
            100 * accuracy,
        )


def _accuracy(said: Tensor, labels: Tensor) -> float:
    return int((said == labels).sum()) / len(labels)


def rank_of(config: Config) -> Rank:
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
    outside |= {"mentor": {"checkpoint_minutes", "wire"}}
    outside |= {"oracle": {"price_per_1000": True, "training": {"checkpoint_minutes"}}}
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
    protection, seed = _shaping(config)["oracle"], config.seed
    name = fingerprint(mentor.fingerprint, oracle.fingerprint, pool.fingerprint, protection, queries, seed)
    return config.paths.output_dir / "replies" / f"{name}.npy"
