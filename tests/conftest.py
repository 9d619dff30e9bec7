import os
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

os.environ["MIMICBENCH_LOCKS"] = tempfile.mkdtemp(prefix="mimicbench-test-")  # not to share cores with real jobs
os.environ["OMP_NUM_THREADS"] = "1"  # of the jobs that tests start: pytest has a worker for each core
torch.set_num_threads(1)
settings.register_profile(
    "mimicbench", max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("mimicbench")


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the embedded pool and trained mentors are kept for the whole session."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def without_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Weights & Biases knows nobody."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.delenv("WANDB_MODE", raising=False)
