"""Which jobs the last command of a sweep asks for."""

from pathlib import Path

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

_COMMAND = "multirun.yaml"  # Hydra writes it before the first job


def planned(sweep: Path) -> list[tuple[str, ...]]:
    """The overrides of each job, in the order of the grid; empty where the folder does not tell.

    Args:
        sweep: Its folder.
    """
    try:
        saved = OmegaConf.load(sweep / _COMMAND)
        target = OmegaConf.select(saved, "hydra.sweeper._target_")
        parameters = OmegaConf.select(saved, "hydra.sweeper.params") or {}
        overrides = [f"{key}={value}" for key, value in parameters.items()]
        overrides += OmegaConf.select(saved, "hydra.overrides.task") or []
        parsed = OverridesParser.create().parse_overrides(overrides)
        batches = BasicSweeper.split_arguments(parsed, None)
    except (OSError, ValueError, TypeError, AttributeError, YAMLError, OmegaConfBaseException, HydraException):
        return []
    if target != f"{BasicSweeper.__module__}.{BasicSweeper.__name__}":
        return []  # other sweepers choose their jobs as they go
    return [tuple(job) for batch in batches for job in batch]
