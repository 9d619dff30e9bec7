"""Where a run reads and writes."""

from pathlib import Path

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Paths:
    """Folders of one run (``conf/paths``).

    Attributes:
        data_dir: The user's data sets, one folder each (``cifar10/``, ``imagenet32/``, …). Only read.
        cache_dir: Decoded images and trained mentors, shared by all runs.
        output_dir: This job's own results.
        locks_dir: Where jobs of this machine find each other to share its cores; None for a place among the system's
            temporary files.
    """

    data_dir: Path
    cache_dir: Path
    output_dir: Path
    locks_dir: Path | None = None
