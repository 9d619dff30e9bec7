"""How much memory a process takes."""

import re
import resource
import sys
from pathlib import Path

import torch


def peak() -> dict[str, float]:
    """The most that this process ever held, in GB: of the machine's memory, and of the GPU's if it used one."""
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss would begin with what the parent held
        kilobytes = int(re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())[0])
    else:
        kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)
    found = {"peak memory, GB": kilobytes * 1024 / 1e9}
    if torch.cuda.is_initialized():
        found["peak GPU memory, GB"] = torch.cuda.max_memory_allocated() / 1e9
    return found


def mapped(folder: Path) -> float | None:
    """How much of the files below a folder this process has in its memory now, in GB; ``None`` but on Linux."""
    maps = Path("/proc/self/smaps")
    if not maps.exists():
        return None
    sizes = re.findall(
        rf"^[0-9a-f]+-.* {re.escape(str(folder.resolve()))}/.*\n(?:.*\n)*?Rss:\s+(\d+) kB",
        maps.read_text(),
        re.MULTILINE,
    )
    return sum(map(int, sizes)) * 1024 / 1e9
