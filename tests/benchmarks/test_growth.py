import json
import time
from argparse import Namespace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from mimicbench.benchmarks import growth


def test_jobs_of_all_pools_take_turns_and_have_all_cores_in_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    file = tmp_path / "growth.json"
    options = ["--pools", "2048", "40960", "--width", "0.05", "--samples", "2048", "--repeats", "2"]
    growth.main([*options, "--chunk", "1024", "--folder", str(tmp_path), "--json", str(file)])
    report = json.loads(file.read_text())
    assert list(report["pools"]) == ["2048", "40960"]
    assert report["chunk"] == 1024
    assert "shared with other jobs" not in report["device"]
    for images, measured in report["pools"].items():
        assert len(measured["samples/s"]) == 2
        assert 0 < max(measured["samples/s"]) < measured["composites/s"]
        assert 0 < measured["of it pool, GB"] < int(images) * 3072 / 1e9 * 1.1
        assert measured["beside it, GB"] == pytest.approx(measured["peak memory, GB"] - measured["of it pool, GB"])
        assert 0.1 < measured["peak memory, GB"] < 20
        assert 0 < measured["start-up, s"] < 60
    small, large = report["pools"].values()
    assert large["beside it, GB"] - small["beside it, GB"] < 0.06  # a copy of the pool would be 0.13
    assert "40,960" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [file]  # the pools are gone


def slow_to_end(connection: Connection, *_: Any) -> None:
    connection.recv()
    connection.send({"samples/s": 1.0})
    time.sleep(2)


def test_a_job_has_ended_before_the_next_has_its_last_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "_work", slow_to_end)
    with growth._Job(tmp_path, 1, Namespace(width=1.0, samples=1, repeats=1)) as job:
        assert job.last_turn() == {"samples/s": 1.0}
        assert not job._process.is_alive()


def test_a_sample_is_timed_beside_the_first_pools_in_the_same_turn(capsys: pytest.CaptureFixture[str]) -> None:
    pools = {"1000": {"samples/s": [100.0, 50.0, 80.0]}, "2000": {"samples/s": [80.0, 50.0, 160.0]}}
    growth.show(
        {"device": "CPU", "precision": "32-true", "network": "vgg16", "width": 1.0, "chunk": 2048, "pools": pools}
    )
    assert "1.000 (0.500 to 1.250)" in capsys.readouterr().out


def test_a_job_that_is_refused_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    options = ["--pools", "300", "--chunk", "100", "--folder", str(tmp_path), "--json", str(tmp_path / "growth.json")]
    with pytest.raises(SystemExit, match=r"The job on a pool of 300 failed; see above\."):
        growth.main(options)
    words = capfd.readouterr().err
    assert "attack.chunk_size=100 is no multiple of attack.recipe.batch_size=128" in words
    assert "Traceback" not in words


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--pools", "9999", "300"], r"--chunk 2048: the smallest of --pools holds 300 images\."),
        (["--folder", "{file}/below"], "--folder"),
        (["--json", "{folder}"], "--json .* is a folder"),
    ],
)
def test_a_mistake_is_found_before_a_pool_is_made(
    options: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match=sentence):
        growth.main([one.format(file=tmp_path / "file", folder=tmp_path) for one in options])
