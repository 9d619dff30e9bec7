"""Hydra's launcher ``hydra/launcher=process``: each job of a sweep as an operating-system process of its own."""

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from mimicbench.errors import UserError
from mimicbench.sweeps.processes import ProcessJob, State, last_lines, run_all

_SWEEPS_OWN = ("hydra.mode", "hydra.run", "hydra.sweep", "hydra.sweeper", "hydra.launcher", "hydra.job.num")
"""Keys, and beginnings of keys, that say how the sweep runs and nothing about a job."""


class ProcessLauncher(Launcher):
    """Runs ``python train.py <the job's overrides> hydra.run.dir=<the job's folder>`` for each job.

    Jobs share nothing: neither memory, seeds and ports nor a Weights & Biases run. A job whose folder of an earlier
    try holds its result is not run again; one that left a checkpoint goes on from there.

    Args:
        n_jobs: Jobs at a time; None for one a GPU (or ``gpus_per_job`` of them), or one where there is none.
        gpus_per_job: GPUs that a job sees.
    """

    def __init__(self, n_jobs: int | None, gpus_per_job: int) -> None:
        if (n_jobs is not None and n_jobs < 1) or gpus_per_job < 1:
            raise UserError("hydra.launcher.n_jobs and hydra.launcher.gpus_per_job should be 1 or more.")
        self._n_jobs = n_jobs
        self._gpus_per_job = gpus_per_job

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what Hydra gives; the function is not called here, but by each process."""
        self._context = hydra_context
        self._config = config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run all jobs of a batch.

        Returns:
            One for each job, whose value is what its ``result.json`` holds. That of a failed job raises
            :class:`~mimicbench.errors.UserError`, which names all failed ones with the last lines of their logs.
        """
        # Imported here, for Hydra imports all its plugins for every command, and --help need not wait for PyTorch.
        from mimicbench.results import FILE
        from mimicbench.sweeps.board import Board
        from mimicbench.sweeps.folders import SweepFolders, finished

        setup_globals()
        sweep = Path(self._config.hydra.sweep.dir).absolute()
        folders = SweepFolders(sweep)
        jobs, returns = [], []
        for number, overrides in enumerate(job_overrides, initial_job_idx):
            config = self._context.config_loader.load_sweep_config(self._config, list(overrides))
            with open_dict(config):
                config.hydra.job.id = str(number)
                config.hydra.job.num = number
            HydraConfig.instance().set_config(config)
            usual = config.hydra.sweep.subdir
            own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
            folder = folders.of(overrides, own, usual)
            command = self._command(number, overrides, folder, sweep)
            job = ProcessJob(str(folder.relative_to(sweep)), folder, command, FILE)
            job.state = State.DONE if finished(folder) else State.WAITING
            jobs.append(job)
            returns.append(JobReturn(overrides=list(overrides), cfg=own, hydra_cfg=config, working_dir=str(Path.cwd())))
        with Board(jobs) as board:

            def changed(job: ProcessJob | None) -> None:
                board.changed(job)
                if job is not None and job.state in (State.DONE, State.FAILED):
                    self._end(job, returns[jobs.index(job)])

            for job in jobs:
                if job.state is State.DONE:
                    changed(job)
            run_all(jobs, self._slots(), changed)
        failure = UserError(_failures(jobs))
        for job, returned in zip(jobs, returns, strict=True):
            if job.state is State.FAILED:
                returned.return_value = failure
        return returns

    def _end(self, job: ProcessJob, returned: JobReturn) -> None:
        if job.state is State.DONE and job.product is not None:
            returned.return_value = json.loads((job.folder / job.product).read_text(encoding="utf-8"))
            returned.status = JobStatus.COMPLETED
        else:
            returned.return_value = UserError(f"{job.name} failed; see {job.log}.")
            returned.status = JobStatus.FAILED
        assert returned.hydra_cfg is not None
        if job.exit_code is not None:  # it ran now
            self._context.callbacks.on_job_end(config=returned.hydra_cfg, job_return=returned)

    def _command(self, number: int, overrides: Sequence[str], folder: Path, sweep: Path) -> list[str]:
        hydra = self._config.hydra
        sources = {source.provider: source.path for source in hydra.runtime.config_sources if source.schema == "file"}
        options = ["--config-path", sources["main"], "--config-name", hydra.job.config_name]
        if "command-line" in sources:
            options += ["--config-dir", sources["command-line"]]
        settled = {"hydra.mode": "RUN", "hydra.run.dir": folder, "hydra.sweep.dir": sweep, "hydra.job.num": number}
        forwarded = [override for override in hydra.overrides.hydra if not _is_sweeps_own(override)]
        own = [f"{key}={_quoted(str(value))}" for key, value in settled.items()]
        return [sys.executable, str(Path(sys.argv[0]).resolve()), *options, *overrides, *forwarded, *own]

    def _slots(self) -> list[Mapping[str, str]]:
        """What each job that may run at a time has in its environment: the GPUs that it may see."""
        gpus = _visible_gpus()
        count = self._n_jobs or max(1, len(gpus) // self._gpus_per_job)
        if not gpus:
            return [{}] * count
        if len(gpus) < self._gpus_per_job:
            raise UserError(
                f"hydra.launcher.gpus_per_job={self._gpus_per_job}, but there are {len(gpus)} GPUs; make it smaller."
            )
        starts = range(0, count * self._gpus_per_job, self._gpus_per_job)
        shares = [[gpus[(start + one) % len(gpus)] for one in range(self._gpus_per_job)] for start in starts]
        return [{"CUDA_VISIBLE_DEVICES": ",".join(share)} for share in shares]


def _is_sweeps_own(override: str) -> bool:
    key = OverridesParser.create().parse_override(override).key_or_group.replace("/", ".")
    return any(key == own or key.startswith(f"{own}.") for own in _SWEEPS_OWN)


def _quoted(value: str) -> str:
    """A value as Hydra's grammar takes any text."""
    # A backslash escapes nothing but a quote, and itself before one.
    escaped = re.sub(r"(\\*)('|$)", lambda found: 2 * found[1] + ("\\'" if found[2] else ""), value)
    return f"'{escaped}'"


def _visible_gpus() -> list[str]:
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip()]
    import torch  # here, for its import takes a second that only sweeps need to wait

    return [str(number) for number in range(torch.cuda.device_count())]


def _failures(jobs: Sequence[ProcessJob]) -> str:
    failed = [job for job in jobs if job.state is State.FAILED]
    said = [
        f"{job.name} failed with exit code {job.exit_code}; the end of {job.log}:\n"
        + "\n".join(f"    {line}" for line in last_lines(job.log, 5))
        for job in failed
    ]
    return "\n".join([f"{len(failed)} of {len(jobs)} jobs failed; the same command runs them again.", *said])
