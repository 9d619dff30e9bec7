"""Runs one job in processes that are killed at random moments, until it has ended; for ``test_checkpoints.py``.

usage: python -m tests.killed_again_and_again KILLS LONGEST OVERRIDE…

Each process is killed within LONGEST seconds. A line for each is printed: at which step the student's checkpoint was.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import torch
from omegaconf import OmegaConf

from mimicbench.benchmarks.checkout import composed
from mimicbench.run import run  # imported before the forks, so that a process begins at once


def main(kills: int, longest: float, overrides: list[str]) -> None:
    cfg = OmegaConf.create(composed(overrides))
    checkpoint = Path(cfg.paths.output_dir) / "last.ckpt"
    moments = random.Random(7)
    for number in range(kills + 1):
        step = torch.load(checkpoint, weights_only=True)["global_step"] if checkpoint.exists() else 0
        process = os.fork()
        if process == 0:
            try:
                run(cfg)
            except BaseException as error:
                print(repr(error), file=sys.stderr, flush=True)
                os._exit(1)
            os._exit(0)
        if number < kills:
            time.sleep(moments.uniform(0, longest))
            os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
        print(step, "killed" if os.WIFSIGNALED(status) else "ended", flush=True)
        if os.WIFEXITED(status):
            sys.exit(os.WEXITSTATUS(status))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:])
