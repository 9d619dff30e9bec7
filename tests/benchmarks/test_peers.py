import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from mimicbench.benchmarks import peers

SMALL = ["--width", "0.05", "--images", "2048", "--epochs", "1", "--repeats", "1"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIMICBENCH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def measured(file: Path, *contenders: str) -> dict[str, dict[str, float]]:
    peers.main([*SMALL, "--json", str(file), "--contenders", *contenders])
    report = json.loads(file.read_text())
    assert 0.9 < report["mentor accuracy"] <= 1
    return {repeat["contender"]: repeat["measured"] for repeat in report["repeats"]}


def test_ours_are_measured(tmp_path: Path) -> None:
    found = measured(tmp_path / "peers.json", "mimicbench standard")["mimicbench standard"]
    assert found["queries"] == 2048
    assert found["samples/s"] == pytest.approx(2048 / (found["asking, s"] + found["training, s"]))
    assert 0 <= found["accuracy"] <= 1
    assert 0 <= found["fidelity"] <= 1


@pytest.mark.skipif(find_spec("art") is None, reason="needs the extra bench")
def test_arts_own_are_measured(tmp_path: Path) -> None:
    names = ["ART CopycatCNN, as shipped", "ART KnockoffNets, tuned"]
    found = measured(tmp_path / "peers.json", *names)
    assert list(found) == names
    assert all(one["queries"] == 2048 and one["training, s"] > 0 for one in found.values())


@pytest.mark.skipif(find_spec("art") is not None, reason="the extra bench is there")
def test_without_art_one_sentence_says_so(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"ART is missing; pip install"):
        measured(tmp_path / "peers.json", "ART CopycatCNN, tuned")
