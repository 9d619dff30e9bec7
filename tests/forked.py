"""Jobs in processes that begin at once, for all is imported before the fork; run it by itself, never within pytest."""

import os
import sys

from omegaconf import OmegaConf

from mimicbench.configuration import composed
from mimicbench.run import run


def forked(overrides: list[str]) -> int:
    """Start a job; the id of its process, which ends with 1 if the job fails."""
    cfg = OmegaConf.create(composed(overrides))
    process = os.fork()
    if process == 0:
        try:
            run(cfg)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return process
