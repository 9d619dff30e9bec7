"""One job with compiled steps, beside one with eager ones."""

from pathlib import Path

import pytest
import torch
from torch._dynamo.utils import counters

from mimicbench.hardware import has_compiler
from tests.test_run import started


@pytest.mark.skipif(not has_compiler(), reason="needs a C++ compiler")
def test_compiled_steps_make_the_student_of_eager_ones(cache: Path, tmp_path: Path) -> None:
    counters.clear()
    small = ("mentor=lenet5", "student=lenet5", "student.width=0.5", "mentor.network.width=0.5")
    eager, compiled = (
        started(cache, tmp_path / mode, *small, f"trainer.sgd_step={mode}") for mode in ("eager", "compiled")
    )
    assert counters["stats"]["unique_graphs"] >= 2  # the mentor, and the student's step
    assert (compiled.sgd_steps, compiled.queries) == (eager.sgd_steps, eager.queries) == (6, eager.queries)
    first, second = (
        torch.load(tmp_path / mode / "last.ckpt", weights_only=True)["state_dict"] for mode in ("eager", "compiled")
    )
    torch.testing.assert_close(second, first, rtol=1e-3, atol=1e-4)
