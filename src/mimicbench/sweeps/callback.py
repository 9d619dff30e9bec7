"""What happens around the jobs of a command: the check of its output folder, and a sweep's summary."""

import atexit
import sys
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from mimicbench import results
from mimicbench.errors import UserError
from mimicbench.files import require_writable
from mimicbench.report import table


class Sweep(Callback):
    """Hydra's callback for ``python train.py``, with and without ``-m``."""

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Refuse an output folder that cannot be written, before anything else happens."""
        _require_writable(Path(config.hydra.run.dir), "hydra.run.dir")

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Refuse a sweep folder that cannot be written; print the table of all finished jobs at the end."""
        folder = Path(config.hydra.sweep.dir)
        _require_writable(folder, "hydra.sweep.dir")
        # Hydra has a callback for the end too, but leaves it out when a job has failed.
        atexit.register(_show, folder)

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        """Bring ``summary.csv`` and ``summary.md`` up to date."""
        if config.hydra.mode.name != "MULTIRUN":
            return
        finished = results.load(Path(config.hydra.sweep.dir))
        if len(finished):
            table.write_summary(finished, Path(config.hydra.sweep.dir))


def _show(folder: Path) -> None:
    finished = results.load(folder)
    if len(finished):
        table.write_summary(finished, folder)
        table.show(finished)
        print(f"{folder}/summary.csv and summary.md hold the same.")


def _require_writable(folder: Path, key: str) -> None:
    try:
        require_writable(folder, key)
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(1)  # Hydra only logs what a callback raises; an exit passes through
