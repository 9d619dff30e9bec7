"""Which folder a job of a sweep works in: its own of an earlier try, or a new one."""

from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from mimicbench import results
from mimicbench.errors import UserError
from mimicbench.mentors import model_file

_OVERRIDES = Path(".hydra") / "overrides.yaml"
_CONFIG = Path(".hydra") / "config.yaml"


class SweepFolders:
    """The folders of a sweep, old and new.

    A job is known by what Hydra saved of it, its overrides and its configuration, never by its number: a grid that has
    changed since gives other numbers to the same jobs.

    Args:
        sweep: The sweep's folder.
    """

    def __init__(self, sweep: Path) -> None:
        self._sweep = sweep
        self._taken: set[Path] = set()
        self._known: dict[tuple[tuple[str, ...], str], Path] = {}
        for file in sorted(sweep.glob(f"**/{_OVERRIDES}")):
            folder = file.parents[1]
            overrides = saved_overrides(folder)
            config = folder / _CONFIG
            if overrides is None or not config.exists():
                continue
            key = (overrides, config.read_text(encoding="utf-8"))
            if key not in self._known or finished(folder):
                self._known[key] = folder

    def of(self, overrides: Sequence[str], config: DictConfig, usual: str) -> Path:
        """The folder of one job, which no other job of this sweep gets.

        Args:
            overrides: The job's own.
            config: Its composed configuration, without Hydra's.
            usual: What a new folder is called, below the sweep's; the name gets a number where it is taken.

        Raises:
            UserError: The job has finished there with another mentor: its file was replaced since.
        """
        folder = self._known.get((tuple(overrides), OmegaConf.to_yaml(config)))
        if folder is not None and _with_another_mentor(folder, config):
            raise UserError(
                f"{self._sweep} holds results of another mentor, for its file was replaced since; name another "
                "hydra.sweep.dir, or delete that one."
            )
        if folder is None or folder in self._taken or not _on_the_same_data(folder, config):
            folder = self._sweep / usual
            number = 2
            while folder in self._taken or saved_overrides(folder) is not None:
                folder = self._sweep / f"{usual}_{number}"
                number += 1
        self._taken.add(folder)
        return folder


def finished(folder: Path) -> bool:
    """Whether the job that worked in a folder left its result, whole."""
    return results.read(folder) is not None


def _on_the_same_data(folder: Path, config: DictConfig) -> bool:
    """Whether the job that finished in a folder, if one did, read where this one would: the environment may say it."""
    done = results.read(folder)
    if done is None:
        return True
    return bool(done.get("config", {}).get("paths", {}).get("data_dir") == OmegaConf.select(config, "paths.data_dir"))


def _with_another_mentor(folder: Path, config: DictConfig) -> bool:
    """Whether the job that finished in a folder, if one did, had another file as its mentor than this one would."""
    done = (results.read(folder) or {}).get("mentor_file")
    mentor = {key: OmegaConf.select(config, f"mentor.{key}") for key in ("path", "checkpoint")}
    return done is not None and model_file.of(mentor) not in (None, done)


def saved_overrides(folder: Path) -> tuple[str, ...] | None:
    """A job's own overrides as Hydra saved them; None if no job has begun here, or it was cut off while it began."""
    try:
        saved = OmegaConf.to_container(OmegaConf.load(folder / _OVERRIDES), resolve=False)
    except (OSError, ValueError, YAMLError, OmegaConfBaseException):
        return None
    return tuple(map(str, saved)) if isinstance(saved, list) else None
