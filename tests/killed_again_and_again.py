"""Runs one job in processes that are killed at random moments, until it has ended; for ``test_checkpoints.py``.

usage: python -m tests.killed_again_and_again KILLS SEED OVERRIDE…      prints where each process was killed
"""

import os
import random
import signal
import sys
import time

from omegaconf import OmegaConf

from mimicbench.benchmarks.checkout import composed
from mimicbench.run import run  # imported before the forks, so that a process begins at once

LONGEST = 2.0  # seconds until a kill


def main(kills: int, seed: int, overrides: list[str]) -> None:
    cfg = OmegaConf.create(composed(overrides))
    moments = random.Random(seed)
    for number in range(kills + 1):
        process = os.fork()
        if process == 0:
            try:
                run(cfg)
            except BaseException as error:
                print(repr(error), file=sys.stderr, flush=True)
                os._exit(1)
            os._exit(0)
        if number < kills:
            time.sleep(moments.uniform(0, LONGEST))
            os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
        print(number, "killed" if os.WIFSIGNALED(status) else f"ended with {os.WEXITSTATUS(status)}", flush=True)
        if os.WIFEXITED(status):
            sys.exit(os.WEXITSTATUS(status))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
