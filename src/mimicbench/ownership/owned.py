"""What an owner has: a mentor, the task that it was trained for, and perhaps the mark that it carries."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import lightning as L  # noqa: N812 (Lightning's own convention)
import torch

from mimicbench import results
from mimicbench.errors import UserError
from mimicbench.fingerprint import content
from mimicbench.hardware import Hardware
from mimicbench.mentors import Mentor, NetworkMentor
from mimicbench.mentors.checkpoint import load_network
from mimicbench.mentors.course import Course
from mimicbench.mentors.trained import learn
from mimicbench.paths import Paths
from mimicbench.resident import ResidentImages
from mimicbench.schema import Config, arguments, build, check
from mimicbench.tasks import Task
from mimicbench.watermarks import Watermark
from mimicbench.watermarks.evidence import FILE, Evidence, Triggers

_GENTLER = 10  # times the learning rate of a copy that is trained on
_SHORTER = 5  # times the epochs


@dataclass(frozen=True)
class Owned:
    """A job's mentor, as its owner has it. Build it with :meth:`of`.

    Attributes:
        folder: The job's.
        config: Its configuration.
        task: What the mentor does.
        hardware: Where networks answer.
        mentor: The mentor.
        watermark: What it was marked with, if anything.
        recorded: ``watermark`` of the job's result, all of :class:`mimicbench.results.Mark`; None for no mark.
    """

    folder: Path
    config: Config
    task: Task
    hardware: Hardware
    mentor: NetworkMentor
    watermark: Watermark | None
    recorded: dict[str, Any] | None

    @classmethod
    def of(cls, folder: Path, scratch: Path) -> "Owned":
        """The mentor of a finished job; from the cache, or trained again as the job did.

        Args:
            folder: The job's.
            scratch: Where what is written meanwhile may go; the job's folder stays as it is.

        Raises:
            UserError: No job has finished there, what it tells of its mark is incomplete, or what it read is gone.
        """
        result = results.read(folder)
        if result is None or not result.get("config"):
            raise UserError(f"{folder} is not the folder of a finished job; give one such as outputs/….")
        recorded = result.get("watermark")
        told = recorded if isinstance(recorded, dict) else {}
        lacking = [] if recorded is None else sorted(results.Mark.__annotations__.keys() - told.keys())
        if lacking:
            raise UserError(
                f"{folder / results.FILE} says nothing of watermark.{lacking[0]}; run the job again in an empty folder."
            )
        config = check(result["config"])
        config = config.model_copy(update={"paths": replace(config.paths, output_dir=scratch)})
        trainer, paths = config.trainer, config.paths
        hardware = Hardware.choose(trainer.accelerator, trainer.precision, trainer.sgd_step)
        task: Task = build("task", config.task, paths)
        watermark: Watermark | None = build("watermark", config.watermark, task, paths)
        marks = () if watermark is None else (watermark,)
        mentor: Mentor = build("mentor", config.mentor, task, paths, hardware, *marks)
        if not isinstance(mentor, NetworkMentor):
            raise UserError(
                f"The mentor of {folder} was not trained here, so that nothing can be told of its training."
            )
        return cls(folder, config, task, hardware, mentor, watermark, recorded)

    @property
    def paths(self) -> Paths:
        """Where data and caches lie."""
        return self.config.paths

    @cached_property
    def accuracy(self) -> float:
        """The mentor's, on the task's test images."""
        return self.accuracy_of(self.mentor)

    def accuracy_of(self, suspect: Mentor) -> float:
        """A suspect's, on the task's test images."""
        said = suspect.answers(ResidentImages(self.task.test.images, suspect.device)).argmax(1).numpy()
        return int((said == self.task.test.labels).sum()) / len(said)

    def evidence(self, file: Path | None = None) -> Evidence:
        """The key that the job left, or another file with it.

        Raises:
            UserError: The job's mentor has no mark, or the file is not the key of this mark.
        """
        if self.watermark is None or self.recorded is None:
            raise UserError(f"The mentor of {self.folder} carries no mark; give a job with watermark=…, or no --key.")
        file = file or self.folder / FILE
        found = Evidence.read(file)
        made = f"{found.scheme} with key {found.key}"
        known = "{scheme} with key {key}".format_map(self.recorded)
        if made != known:
            raise UserError(f"{file} is of {made}, but the mentor of {self.folder} carries {known}; give its key file.")
        if isinstance(found, Triggers):
            height, width, colours = found.images.shape[1:]
            if (height, width, colours) != (self.task.size, self.task.size, 3):
                raise UserError(
                    f"{file} holds triggers of {height}×{width} pixels in {colours} colours, but the mentor sees "
                    f"{self.task.size}×{self.task.size} in 3; give the key file of {self.folder}."
                )
            if (named := int(found.labels.max())) >= (known_classes := len(self.task.classes)):
                raise UserError(
                    f"{file} calls triggers class {named}, but the mentor knows {known_classes} classes, from 0; give "
                    f"the key file of {self.folder}."
                )
        if found.size != self.recorded["size"]:
            raise UserError(
                f"{file} holds {found.size} {'triggers' if isinstance(found, Triggers) else 'bits'}, but the mark of "
                f"{self.folder} has {self.recorded['size']}; give its key file."
            )
        return found

    def other_evidence(self, key: int) -> Evidence:
        """What the owner would try suspects with, had another key been drawn; for marks that need no mentor for it."""
        assert self.watermark is not None
        mark: Watermark = build("watermark", self.config.watermark | {"key": key}, self.task, self.paths)
        mark.carried_by(self.mentor.network)
        return mark.evidence

    def suspect(self, checkpoint: Path, network: Mapping[str, Any]) -> Mentor:
        """A network from a file.

        Args:
            checkpoint: A Lightning checkpoint, such as ``last.ckpt`` of a job, or a bare ``state_dict``.
            network: The network's own configuration, with ``_target_``.

        Raises:
            UserError: The file is missing, damaged or unsafe, or of another architecture or number of classes.
        """
        dropout = arguments("attack", self.config.attack)["recipe"].dropout
        module = build("student", network, len(self.task.classes), self.task.size, dropout)
        load_network(module, checkpoint, "suspect", "say the network that it was saved from with --student")
        return self.suspected(module)

    def suspected(self, module: torch.nn.Module) -> Mentor:
        """A network as something that answers images."""
        return NetworkMentor(module, self.task.classes, self.hardware)

    def unmarked(self, number: int) -> Mentor:
        """A network without any mark, trained as the mentor; number 0 has its seed, others have others."""
        seed = (arguments("mentor", self.config.mentor)["seed"] + number) % 2**32
        given: Mentor = build("mentor", self.config.mentor | {"seed": seed}, self.task, self.paths, self.hardware)
        return given

    def fine_tuned(self) -> Mentor:
        """The positive control: a copy of the mentor's weights, trained on, which any test of copies should find.

        It learns the task's own training images, without any trigger, for a fifth of the mentor's epochs at a tenth of
        its learning rate. Trained once, and kept in the cache.
        """
        given = arguments("mentor", self.config.mentor)
        course = Course(**{name: given[name] for name in Course.__annotations__})
        recipe = replace(course.recipe, learning_rate=course.recipe.learning_rate / _GENTLER)
        course = replace(course, max_epochs=max(1, course.max_epochs // _SHORTER), recipe=recipe)
        module = copy.deepcopy(self.mentor.network).requires_grad_(True)
        L.seed_everything(course.seed, workers=True, verbose=False)  # of dropout
        learn(module, course, self.task, self.paths, self.hardware, what="control", begun=content(module))
        return self.suspected(module)
