"""What figures were measured with: without it they can be compared with no others."""

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

import mimicbench
from mimicbench.configuration import CONF
from mimicbench.fingerprint import file_content, fingerprint
from mimicbench.hardware import cores
from mimicbench.results import described, versions

_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
"""Of x86 processors, those that change how fast networks learn."""

_PEER = "adversarial-robustness-toolbox"


def origin() -> dict[str, Any]:
    """All that figures depend on but the options: equal where they can be compared.

    Returns:
        ``content``, a fingerprint of the package and its configuration, whether committed or not; ``machine``, the
        processor, its cores and threads, and the GPU if there is one; and the ``versions`` of packages.
    """
    package = Path(mimicbench.__file__).parent
    files = sorted([*package.rglob("*.py"), *CONF.rglob("*.yaml")])
    return {
        "content": fingerprint([[str(file.relative_to(CONF.parent)), file_content(file)] for file in files]),
        "machine": {
            "processor": _processor(),
            "cores": cores(),
            "threads": os.environ.get("OMP_NUM_THREADS"),
            "gpu": _gpu(),
        },
        "versions": versions() | _version_of_the_peer(),
    }


def told(report: dict[str, Any]) -> str:
    """Where a report's figures come from, in a line."""
    machine = report["machine"]
    on_gpu = machine["gpu"] is not None and machine["gpu"] in report["device"]
    return f"Commit {described(report['code'])}; {machine['gpu'] if on_gpu else machine['processor']}."


def _processor() -> str:
    """The processor's name, with what it can do of :data:`_FLAGS`; where Linux tells less, what it tells."""
    file = Path("/proc/cpuinfo")
    lines = dict(re.findall(r"^([\w ]+?)\s*: (.*)$", file.read_text(), re.MULTILINE)) if file.exists() else {}
    known = [lines[key] for key in ("model name", "CPU implementer", "CPU part") if key in lines]
    can = lines.get("flags", "").split()
    return " ".join([*(known or [platform.processor() or platform.machine()]), *(one for one in _FLAGS if one in can)])


def _gpu() -> str | None:
    try:
        return torch.cuda.get_device_name() if torch.cuda.is_available() else None
    except RuntimeError as error:  # it is there, and does not work: a benchmark of the CPU needs none
        return f"broken: {error}"


def _version_of_the_peer() -> dict[str, str]:
    try:
        return {_PEER: version(_PEER)}
    except PackageNotFoundError:
        return {}
