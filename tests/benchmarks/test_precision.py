import json
from pathlib import Path

import pytest

from mimicbench.benchmarks import precision

TINY = [
    "experiment=embedded_vgg16",
    "debug=smoke",
    "mentor.network.width=0.05",
    "student.width=0.05",
    "pool.crops=300",
    "trainer.max_epochs=1",
]


def test_one_mentor_is_asked_and_copied_in_both_arithmetics(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "precision.json"
    overrides = [*TINY, f"paths.cache_dir={cache}"]
    precision.main(["--seeds", "3", "--json", str(file), "--overrides", *overrides])
    report = json.loads(file.read_text())
    assert set(report["share of labels that agree"]) == {"pool", "test images"}
    assert all(0.5 < share <= 1 for share in report["share of labels that agree"].values())
    copies = [(copy["precision"], copy["seed"]) for copy in report["copies"]]
    assert copies == [("bf16-mixed", 3), ("32-true", 3)]
    assert all(0 <= copy["measured"]["fidelity"] <= 1 for copy in report["copies"])
    printed = capsys.readouterr().out
    assert "agree: " in printed
    assert "±" in printed


def test_mean_and_spread() -> None:
    assert precision._spread([0.5, 0.6, 0.7]) == "60.00% ± 10.00%"
    assert precision._spread([1000.0, 3000.0]) == "2,000 ± 1,414"
