"""Several processes that carry out one job together, each on a device of its own."""

import os
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from torch import distributed

from mimicbench.errors import UserError

_T = TypeVar("_T")


@dataclass(frozen=True)
class Rank:
    """This process among those that carry out its job together.

    Attributes:
        number: 0 for the first, which alone writes files.
        count: How many there are.
        local: Its number on its own machine, from 0.
    """

    number: int = 0
    count: int = 1
    local: int = 0

    @classmethod
    def of_this_process(cls, devices: int, nodes: int) -> "Rank":
        """What Lightning, ``torchrun`` or SLURM, whichever started this process, says in its environment.

        Args:
            devices: Processes on each machine.
            nodes: Machines.

        Raises:
            UserError: Another number of processes was started.
        """
        count = devices * nodes
        if count == 1:  # whatever the environment says: it may be that of some other program's processes
            return ALONE
        for environment in (TorchElasticEnvironment, SLURMEnvironment):
            if environment.detect():
                return cls._of(environment, count)
        node, local = (int(os.environ.get(name, 0)) for name in ("NODE_RANK", "LOCAL_RANK"))
        return cls(node * devices + local, count, local)

    @classmethod
    def _of(cls, environment: type[TorchElasticEnvironment | SLURMEnvironment], count: int) -> "Rank":
        try:
            found = environment()
        except RuntimeError as error:  # in good words
            raise UserError(str(error)) from None
        if found.world_size() != count:
            raise UserError(
                f"trainer.devices × trainer.num_nodes is {count}, but {found.world_size()} processes were started; "
                "make them equal."
            )
        return cls(found.global_rank(), count, found.local_rank())

    @staticmethod
    def started_from_outside() -> bool:
        """Whether ``torchrun`` or SLURM starts all the processes of a job; else Lightning starts the others."""
        return TorchElasticEnvironment.detect() or SLURMEnvironment.detect()

    @property
    def first(self) -> bool:
        """Whether this is the one that writes files and talks."""
        return self.number == 0

    def gathered(self, value: _T) -> list[_T]:
        """What each rank gives for ``value``, the first one first; all ranks must ask for it at the same time."""
        values = [value] * self.count
        if self.count > 1:
            distributed.all_gather_object(values, value)
        return values

    def part(self, samples: int) -> tuple[int, int]:
        """The first of ``samples`` samples that this rank takes, and the one after its last.

        All ranks together take each sample once; their parts differ by one sample at most.
        """
        return samples * self.number // self.count, samples * (self.number + 1) // self.count

    def batches(self, samples: int, batch_size: int) -> list[tuple[int, float]]:
        """This rank's part of each of the SGD batches into which a run of samples is cut; the last may be smaller.

        Returns:
            For each batch, how many samples this rank takes, and by what its mean loss is to be multiplied, so that
            the mean over ranks is the mean over all samples of the batch.
        """
        sizes = [min(batch_size, samples - start) for start in range(0, samples, batch_size)]
        own = [stop - start for start, stop in map(self.part, sizes)]
        return [(part, part * self.count / size) for part, size in zip(own, sizes, strict=True)]

    def rows(self, samples: int, batch_size: int) -> np.ndarray | slice:
        """Which of a run of samples, cut into SGD batches, this rank takes: its part of each.

        Returns:
            An index for arrays of ``samples`` rows: int64, ascending; or a slice of all where there is one rank.
        """
        if self.count == 1:
            return slice(None)
        place = np.arange(samples)
        within = place % batch_size
        size = np.minimum(batch_size, samples - (place - within))
        lower, upper = (size * (self.number + one) // self.count for one in (0, 1))
        return np.flatnonzero((lower <= within) & (within < upper))


ALONE = Rank()
"""That of a job in one process."""
