"""What happens around the jobs of a command: the check of its output folder, and a sweep's summary."""

import sys
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from mimicbench import results
from mimicbench.report import table


class Sweep(Callback):
    """Hydra's callback for ``python train.py``, with and without ``-m``."""

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Refuse an output folder that cannot be written, before anything else happens."""
        _require_writable(Path(config.hydra.run.dir), "hydra.run.dir")

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Refuse a sweep folder that cannot be written, before anything else happens."""
        _require_writable(Path(config.hydra.sweep.dir), "hydra.sweep.dir")

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        """Bring a sweep's ``summary.csv`` and ``summary.md`` up to date after each of its jobs."""
        if config.hydra.mode.name == "MULTIRUN":
            finished = results.load(Path(config.hydra.sweep.dir))
            if len(finished):
                table.write_summary(finished, Path(config.hydra.sweep.dir))

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Print the table of all jobs."""
        folder = Path(config.hydra.sweep.dir)
        finished = results.load(folder)
        if len(finished):
            table.show(finished)
            print(f"{folder}/summary.csv and summary.md hold the same.")


def _require_writable(folder: Path, key: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        # Hydra only logs what a callback raises; an exit passes through.
        print(f"{key}={folder} cannot be written: {error.strerror}; choose another folder.", file=sys.stderr)
        sys.exit(1)
