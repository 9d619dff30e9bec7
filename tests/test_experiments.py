"""The experiments that need real data, as far as a test can run them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mimicbench.networks.vgg import VGG16

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="needs real data in ../shared/data")


def test_the_papers_setting_runs_its_first_chunks(tmp_path: Path) -> None:
    # A mentor that has learnt nothing, so that the test does not train one for hours.
    untrained = VGG16(10, 32, 0.0, width=0.5, batch_norm=False).state_dict(prefix="network.")
    torch.save({"state_dict": untrained}, tmp_path / "mentor.ckpt")
    done = subprocess.run(
        [
            sys.executable,
            "train.py",
            "experiment=paper",
            f"paths.data_dir={DATA}",
            f"paths.cache_dir={tmp_path}",
            f"hydra.run.dir={tmp_path / 'run'}",
            f"mentor.checkpoint={tmp_path / 'mentor.ckpt'}",
            "mentor.network.width=0.5",  # whole, it would take a minute more to measure
            "student.width=0.5",
            "attack.chunk_size=256",
            "trainer.max_epochs=1",
            "attack.samples_per_epoch=512",  # the first of a million: what they are depends on their numbers alone
            "+trainer.limit_val_batches=1",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["queries"]["total"] == 512
    assert result["sgd_steps"] == 4
    assert (result["student"], result["mentor"], result["pool"]) == ("vgg16", "vgg16", "imagenet32")
