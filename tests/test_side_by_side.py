"""Jobs that start at the same moment, on one machine with an empty cache."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.test_checkpoints import SMALL

ROOT = Path(__file__).parents[1]
JOBS = 8
JOB = (
    *SMALL,
    *("attack.samples_per_epoch=256", "trainer.max_epochs=1", "callbacks.progress_bar.refresh_rate=0"),
)
SCRIPT = """
import os, sys
from tests.forked import forked

folders = [f"paths.output_dir={os.getcwd()}/{number}" for number in range(int(sys.argv[1]))]
jobs = [forked([*sys.argv[2:], folder]) for folder in folders]
sys.exit(sum(os.waitpid(process, 0)[1] != 0 for process in jobs))
"""


def test_eight_jobs_share_one_mentor_and_one_pool(tmp_path: Path) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    cache = tmp_path / "cache"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(JOBS), *JOB, f"paths.cache_dir={cache}"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Another job is training this mentor" in done.stderr
    assert done.stderr.count("Decoding photos:   0%") == 1
    measured = []
    for number in range(JOBS):
        result = json.loads((tmp_path / str(number) / "result.json").read_text())
        measured.append([result[key] for key in ("mentor_accuracy", "student_accuracy", "fidelity", "queries")])
        assert "shared with other jobs" in result["device"] or result["device"] == "CPU, 1 thread"
    assert measured == [measured[0]] * JOBS
    assert len(list(cache.glob("mentors/*.ckpt"))) == 1
    assert [file for file in cache.rglob(".*") if file.is_file() and not file.name.endswith(".lock")] == []
