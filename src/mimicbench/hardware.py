"""The device of a run and the arithmetic that it does best."""

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

import torch

from mimicbench.errors import UserError

Accelerator = Literal["auto", "cpu", "gpu"]
Precision = Literal["auto", "32-true", "bf16-mixed"]


@dataclass(frozen=True)
class Hardware:
    """Where networks run, and in which arithmetic.

    Attributes:
        device: Where images, networks and replies live.
        precision: In Lightning's words, ``32-true`` or ``bf16-mixed`` (bfloat16 products, float32 weights).
    """

    device: torch.device
    precision: Literal["32-true", "bf16-mixed"]

    @classmethod
    def choose(cls, accelerator: Accelerator, precision: Precision) -> "Hardware":
        """Resolve ``auto``: a GPU where there is one; bfloat16 where the hardware multiplies it, else float32.

        A CPU without AVX512-BF16 or AMX emulates bfloat16, slower than float32 (pytorch issue 118499).

        Raises:
            UserError: A GPU is wanted, and PyTorch sees none.
        """
        if accelerator == "gpu" and not torch.cuda.is_available():
            raise UserError("trainer.accelerator=gpu, but PyTorch sees no GPU; choose cpu or auto.")
        on_gpu = accelerator == "gpu" or (accelerator == "auto" and torch.cuda.is_available())
        device = torch.device("cuda", torch.cuda.current_device()) if on_gpu else torch.device("cpu")
        if precision != "auto":
            return cls(device, precision)
        if on_gpu:
            fast = torch.cuda.is_bf16_supported(including_emulation=False)
        else:
            fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        return cls(device, "bf16-mixed" if fast else "32-true")

    @property
    def accelerator(self) -> Literal["cpu", "gpu"]:
        """The device in Lightning's words."""
        return "gpu" if self.device.type == "cuda" else "cpu"

    @property
    def name(self) -> str:
        """The device in words, for results."""
        if self.device.type == "cuda":
            return torch.cuda.get_device_name(self.device)
        return f"CPU, {torch.get_num_threads()} threads"

    def autocast(self) -> AbstractContextManager[None]:
        """The arithmetic of this run, for code outside Lightning's loops."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16-mixed")


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def limit_threads() -> None:
    """Keep PyTorch from using more threads than there are cores that this process may run on."""
    torch.set_num_threads(min(torch.get_num_threads(), cores()))
