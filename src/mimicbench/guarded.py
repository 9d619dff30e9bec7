"""A mentor behind its door, from their configuration."""

from dataclasses import dataclass

from mimicbench.errors import UserError
from mimicbench.hardware import Hardware
from mimicbench.mentors import Mentor
from mimicbench.oracles import Oracle
from mimicbench.oracles.owner import Owner
from mimicbench.schema import Config, build
from mimicbench.tasks import Task
from mimicbench.watermarks import Watermark


@dataclass(frozen=True)
class Guarded:
    """What an attacker stands before.

    Attributes:
        mentor: What is mimicked.
        oracle: The door to it.
        watermark: What the mentor was marked with, if anything.
    """

    mentor: Mentor
    oracle: Oracle
    watermark: Watermark | None

    @classmethod
    def of(cls, config: Config, task: Task, hardware: Hardware) -> "Guarded":
        """Build them; trains the mentor, and networks that protect it, if need be.

        Raises:
            UserError: They do not go together, or one of them cannot be built.
        """
        watermark: Watermark | None = build("watermark", config.watermark, task, config.paths)
        if watermark is not None and ("checkpoint" not in config.mentor or config.mentor["checkpoint"] is not None):
            raise UserError(
                "watermark is applied while a mentor is trained; choose watermark=none for one that is there."
            )
        marks = () if watermark is None else (watermark,)  # there are mentors that take none
        mentor: Mentor = build("mentor", config.mentor, task, config.paths, hardware, *marks)
        oracle: Oracle = build("oracle", config.oracle, mentor, Owner(task, config.paths, hardware))
        if mentor.names_class_only and not oracle.names_class_only:
            raise UserError(
                f"oracle={config.oracle['name']} needs probabilities, but the mentor names a class alone; choose "
                "oracle=label."
            )
        return cls(mentor, oracle, watermark)
