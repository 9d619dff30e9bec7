import json
from pathlib import Path

import pytest

from mimicbench.benchmarks import growth


def test_jobs_of_all_pools_are_measured_in_turns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "growth.json"
    options = ["--pools", "2048", "--width", "0.05", "--samples", "2048", "--repeats", "2", "--folder", str(tmp_path)]
    growth.main([*options, "--json", str(file)])
    report = json.loads(file.read_text())
    assert [repeat["images"] for repeat in report["repeats"]] == [2048, 2048]
    for repeat in report["repeats"]:
        measured = repeat["measured"]
        assert min(measured.values()) > 0
        assert 0.005 < measured["of it pool, GB"] < 0.010  # 6.3 MB
        assert measured["composites/s"] > measured["samples/s"]
        assert 0.1 < measured["peak memory, GB"] < 20
    assert "2,048" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [file]  # the pools are gone
