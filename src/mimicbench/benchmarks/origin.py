"""What figures were measured with: without it they can be compared with no others."""

import platform
import re
from pathlib import Path
from typing import Any

import torch

from mimicbench.results import code, described, versions

_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
"""Of x86 processors, those that change how fast networks learn."""


def origin() -> dict[str, Any]:
    """The commit, the processor, the GPU if there is one, and the versions of packages."""
    return {
        "code": code(),
        "processor": _processor(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "versions": versions(),
    }


def told(report: dict[str, Any]) -> str:
    """The origin that a report holds, in a line."""
    return f"Commit {described(report['code'])}; {report['gpu'] or report['processor']}."


def _processor() -> str:
    """The processor's name, with what it can do of :data:`_FLAGS` where Linux tells."""
    file = Path("/proc/cpuinfo")
    if not file.exists():
        return platform.processor() or platform.machine()
    told = dict(re.findall(r"^(model name|flags)\s*: (.*)$", file.read_text(), re.MULTILINE))
    can = set(told.get("flags", "").split())
    return " ".join([told.get("model name", platform.machine()), *(flag for flag in _FLAGS if flag in can)])
