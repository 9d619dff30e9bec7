"""The device of a run, the arithmetic that it does best, and how it takes an SGD step."""

import os
import shlex
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from mimicbench.captured_step import CudaGraph
from mimicbench.errors import UserError
from mimicbench.rank import ALONE, Rank

_Network = TypeVar("_Network", bound=nn.Module)

Accelerator = Literal["auto", "cpu", "gpu"]
Precision = Literal["auto", "32-true", "bf16-mixed"]
StepMode = Literal["auto", "eager", "captured", "compiled"]


@dataclass(frozen=True)
class Hardware:
    """Where networks run, and in which arithmetic.

    Attributes:
        device: Where images, networks and replies live.
        precision: In Lightning's words, ``32-true`` or ``bf16-mixed`` (bfloat16 products, float32 weights).
        sgd_step: ``eager``; ``captured`` in a CUDA graph, which makes some hundred kernel launches one; or
            ``compiled`` by ``torch.compile``, and on a GPU captured besides.
    """

    device: torch.device
    precision: Literal["32-true", "bf16-mixed"]
    sgd_step: Literal["eager", "captured", "compiled"] = "eager"

    @classmethod
    def choose(
        cls, accelerator: Accelerator, precision: Precision, sgd_step: StepMode, devices: int = 1, rank: Rank = ALONE
    ) -> "Hardware":
        """Resolve ``auto``: a GPU where there is one; bfloat16 where the hardware multiplies it, else float32.

        A CPU without AVX512-BF16 or AMX emulates bfloat16, slower than float32 (pytorch issue 118499). SGD steps are
        captured on a GPU and eager on a CPU, where launches cost little and compiled steps were between
        a tenth slower and 3 % faster. Ranks that train together take eager steps, for they must meet in each.

        Args:
            accelerator: As configured.
            precision: As configured.
            sgd_step: As configured.
            devices: Processes of the job on this machine, each on a GPU, or on cores, of its own.
            rank: This one among them.

        Raises:
            UserError: A GPU is wanted, and PyTorch sees none; or a compiler, and there is none; or more devices than
                there are; or steps that several devices cannot take.
        """
        if accelerator == "gpu" and not torch.cuda.is_available():
            raise UserError("trainer.accelerator=gpu, but PyTorch sees no GPU; choose cpu or auto.")
        on_gpu = accelerator == "gpu" or (accelerator == "auto" and torch.cuda.is_available())
        if rank.count > 1:
            there_are = torch.cuda.device_count() if on_gpu else cores()
            if devices > there_are and (on_gpu or not has_own_cores()):
                raise UserError(
                    f"trainer.devices={devices}, but there are {there_are} {'GPUs' if on_gpu else 'cores'} here."
                )
            if sgd_step not in ("auto", "eager"):
                raise UserError(f"trainer.sgd_step={sgd_step} is for one device; with several choose auto or eager.")
            sgd_step = "eager"
            if on_gpu:
                torch.cuda.set_device(rank.local)
        device = torch.device("cuda", torch.cuda.current_device()) if on_gpu else torch.device("cpu")
        if precision == "auto":
            if on_gpu:
                fast = torch.cuda.is_bf16_supported(including_emulation=False)
            else:
                fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
            precision = "bf16-mixed" if fast else "32-true"
        if sgd_step == "captured" and not on_gpu:
            raise UserError("trainer.sgd_step=captured needs a GPU; choose auto, eager or compiled.")
        if sgd_step == "compiled" and not has_compiler():
            raise UserError("trainer.sgd_step=compiled needs a C++ compiler, such as g++; install one or choose auto.")
        if sgd_step == "auto":
            sgd_step = "captured" if on_gpu else "eager"
        return cls(device, precision, sgd_step)

    @property
    def accelerator(self) -> Literal["cpu", "gpu"]:
        """The device in Lightning's words."""
        return "gpu" if self.device.type == "cuda" else "cpu"

    @property
    def name(self) -> str:
        """The device in words, for results."""
        if self.device.type == "cuda":
            return torch.cuda.get_device_name(self.device)
        threads = torch.get_num_threads()
        return f"CPU, {threads} thread{'s' if threads > 1 else ''}"

    def autocast(self) -> AbstractContextManager[None]:
        """The arithmetic of this run, for code outside Lightning's loops."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16-mixed")

    def fast(self, network: _Network) -> _Network:
        """The network as it runs fastest here: channels last in memory, and compiled if so chosen."""
        network = network.to(memory_format=torch.channels_last)
        if self.sgd_step == "compiled":
            network.compile(dynamic=False)  # in place, so that names of weights stay
            # It is traced anew for each shape, mode and number of threads, which jobs that share cores change; beyond
            # the limit, eight by default, it would be eager, with nothing but a warning.
            torch._dynamo.config.cache_size_limit = 64
        return network

    @property
    def recorder(self) -> Callable[[], CudaGraph] | None:
        """Makes what an SGD step is recorded in, if it is to be replayed."""
        return None if self.sgd_step == "eager" or self.device.type == "cpu" else partial(CudaGraph, self.device)


def to_device(values: np.ndarray, device: torch.device) -> Tensor:
    """An array as a tensor on ``device``, without waiting for what the device still does."""
    tensor = torch.from_numpy(values)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor


def has_compiler() -> bool:
    """Whether ``torch.compile`` finds what it needs."""
    return shutil.which(shlex.split(os.environ.get("CXX", "g++"))[0]) is not None


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def has_own_cores() -> bool:
    """Whether this process is a task of SLURM, which gives each rank cores of its own."""
    return "SLURM_CPUS_PER_TASK" in os.environ


def limit_threads() -> None:
    """Keep PyTorch from using more threads than there are cores that this process may run on."""
    torch.set_num_threads(min(torch.get_num_threads(), cores()))
