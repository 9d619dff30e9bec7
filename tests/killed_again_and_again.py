"""Runs one job in processes that are killed at random moments, until it has ended; for ``test_checkpoints.py``.

usage: python -m tests.killed_again_and_again KILLS LONGEST FOLDER OVERRIDE…

Each process is killed within LONGEST seconds, or more by and by while none gets further. A line
for each is printed: at which step the student's checkpoint was.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

from tests.forked import forked


def main(kills: int, longest: float, folder: Path, overrides: list[str]) -> None:
    checkpoint = folder / "last.ckpt"
    moments = random.Random(7)
    before, within = 0, longest
    for number in range(kills + 1):
        step = torch.load(checkpoint, weights_only=True)["global_step"] if checkpoint.exists() else 0
        before, within = step, longest if step > before else 1.1 * within
        process = forked([f"paths.output_dir={folder}", *overrides])
        if number < kills:
            time.sleep(moments.uniform(0, within))
            os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
        print(step, "killed" if os.WIFSIGNALED(status) else "ended", flush=True)
        if os.WIFEXITED(status):
            sys.exit(os.WEXITSTATUS(status))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
