"""Asks a server about images in processes that are killed; run it by itself, never within pytest.

``python -m tests.mentors.killed_while_asking URL FOLDER SEED``: prints how many were killed, and the account.
"""

import json
import os
import random
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from omegaconf import OmegaConf

from mimicbench.mentors.http import HttpMentor
from mimicbench.schema import build
from tests.making import make_paths
from tests.standins import FLOAT32, make_task

CONF = Path(__file__).resolve().parents[2] / "conf"
KILLS = 20


def images() -> torch.Tensor:
    return torch.rand(1000, 3, 32, 32, generator=torch.manual_seed(3))


def mentor(url: str, folder: Path) -> HttpMentor:
    node = OmegaConf.load(CONF / "mentor" / "http.yaml")
    node.url, node.model = url, "reader"
    node.io.update({"output": "logits", "range": 1, "says": "logits"})
    node.wire.update({"batch_size": 8, "in_flight": 3, "backoff": 0.01})
    made: HttpMentor = build("mentor", OmegaConf.to_container(node), make_task(classes=5), make_paths(folder), FLOAT32)
    return made


def main(url: str, folder: Path, seed: int) -> None:
    random.seed(seed)
    torch.set_num_threads(1)
    killed, seconds = 0, 0.4
    while True:
        process = os.fork()
        if process == 0:
            np.save(folder / "answers.npy", mentor(url, folder).queried(images()).numpy())
            os._exit(0)
        if killed < KILLS:
            time.sleep(random.uniform(0.02, seconds))
            os.kill(process, signal.SIGKILL)
        if os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0:
            break
        killed += 1
    print(json.dumps({"killed": killed, **asdict(mentor(url, folder).account)}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
