"""What happens around the jobs of a command: the check of its output folder, and a sweep's summary."""

import atexit
import sys
from pathlib import Path
from typing import Any, NoReturn

from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from mimicbench.errors import UserError
from mimicbench.files import require_writable


class Sweep(Callback):
    """Hydra's callback for ``python train.py``, with and without ``-m``.

    Args:
        report: Whether a sweep ends with its report; a command that says neither true nor false ends at once.
    """

    def __init__(self, report: bool) -> None:
        if not isinstance(report, bool):  # Hydra passes on whatever was typed
            _refuse(f"hydra.callbacks.sweep.report={report} is refused; choose true or false.")
        self._report = report

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Refuse an output folder that cannot be written, before anything else happens."""
        _require_writable(Path(config.hydra.run.dir), "hydra.run.dir")

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Refuse a sweep folder that cannot be written; at the end, print the table and write the report."""
        folder = Path(config.hydra.sweep.dir)
        _require_writable(folder, "hydra.sweep.dir")
        from mimicbench.sweeps import summary  # here, for its pandas takes 60 MB that a job does not need

        # Hydra has a callback for the end too, but leaves it out when a job has failed.
        atexit.register(summary.show, folder, self._report)

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        """Bring ``summary.csv`` and ``summary.md`` up to date."""
        if config.hydra.mode.name == "MULTIRUN":
            from mimicbench.sweeps import summary

            summary.write(Path(config.hydra.sweep.dir))


def _require_writable(folder: Path, key: str) -> None:
    try:
        require_writable(folder, key)
    except UserError as error:
        _refuse(str(error))


def _refuse(sentence: str) -> NoReturn:
    print(sentence, file=sys.stderr)
    sys.exit(1)  # Hydra only logs what a callback raises; an exit passes through
