import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mimicbench import results
from mimicbench.results import FILE, Mark, Protection, Queries, Result, code, load, versions

KNOWN = {"task": "t", "pool": "p", "attack": "composite", "oracle": "label", "seed": 0, "student_accuracy": 0.5}


def make_result(**changes: Any) -> Result:
    names = {"task": "t", "pool": "p", "attack": "composite", "oracle": "label", "mentor": "m", "student": "s"}
    figures = {"mentor_accuracy": 0.9, "student_accuracy": 0.81, "relative_accuracy": 0.9, "fidelity": 0.85}
    run = {"seed": 0, "epochs": 2, "sgd_steps": 8}
    times = {"train_seconds": 1.5, "waited_seconds": 0.5, "samples_per_second": 600.0}
    about = {"device": "CPU", "precision": "32-true", "threads": 2, "versions": versions(), "config": {"seed": 0}}
    own = {"queries": Queries(1000, 990, None, 0), "code": {"commit": "abc", "dirty": False}}
    own |= {"protection": make_protection(), "watermark": None, "mentor_file": None}
    return Result(**{**names, **figures, **run, **times, **about, **own, **changes})


def make_protection(**changes: Any) -> Protection:
    seen = {"mentor_accuracy": 0.9, "calibration_error": 0.1, "unprotected_calibration_error": 0.05, "distortion": 0.2}
    asked = {"query_distortion": 0.7, "changed_queries": 0.0, "measured_queries": 1000}
    time = {"microseconds_per_query": 0.5, "mentor_microseconds_per_query": 40.0}
    return Protection(**{"keeps_argmax": True, **seen, **asked, **time, **changes})


def make_mark(scheme: str = "content", **changes: Any) -> Mark:
    scores = {"mentor_score": 1.0, "unmarked_score": 0.1, "accuracy_lost": 0.0, "took": True, "student_score": 0.2}
    return Mark(**{"scheme": scheme, "key": 0, "size": 100, **scores, "claimed": False, **changes})


def test_result_json_is_laid_out_as_promised(tmp_path: Path) -> None:
    make_result().save(tmp_path)
    promised = {
        *("task", "pool", "attack", "oracle", "student", "seed", "mentor_accuracy", "student_accuracy"),
        *(
            "relative_accuracy",
            "fidelity",
            "queries",
            "epochs",
            "sgd_steps",
            "train_seconds",
            "waited_seconds",
            "samples_per_second",
        ),
        *("device", "precision", "versions", "config"),
    }
    content = json.loads((tmp_path / FILE).read_text())
    assert set(content) == promised | {"mentor", "threads", "code", "protection", "watermark", "mentor_file"}
    asked = {"total": 1000, "unique": 990, "budget": None, "repeated": 0, "answered": None, "reused": 0}
    assert content["queries"] == asked | {"retried": 0, "in_doubt": 0, "measuring": None, "price": None}
    assert content["protection"] == vars(make_protection())
    assert content["watermark"] is None
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_loads_finished_jobs_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (10, 9, 0):
        folder = tmp_path / f"{number}-composite"
        folder.mkdir()
        make_result(seed=number).save(folder)
    (tmp_path / "11-unfinished").mkdir()
    results = load(tmp_path)
    assert results["seed"].tolist() == [0, 9, 10]
    assert results["queries.total"].tolist() == [1000] * 3
    assert results["folder"].tolist() == [str(tmp_path / f"{number}-composite") for number in (0, 9, 10)]
    assert len(load(tmp_path, tmp_path)) == 6


def git(folder: Path, *command: str) -> str:
    own = ["-c", "user.name=a", "-c", "user.email=a@b"]
    return subprocess.run(["git", "-C", folder, *own, *command], capture_output=True, text=True, check=True).stdout


def test_code_is_named_by_its_commit_and_whether_it_was_changed_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "results.py"
    file.write_text("1")
    monkeypatch.setattr(results, "__file__", str(file))
    unknown = {"commit": None, "dirty": None}
    assert code() == unknown
    git(tmp_path, "init")
    assert code() == unknown
    git(tmp_path, "commit", "--allow-empty", "-m", "a")
    assert code() == unknown  # installed into somebody else's checkout
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "b")
    commit = git(tmp_path, "rev-parse", "HEAD").strip()
    assert code() == {"commit": commit, "dirty": False}
    file.write_text("2")
    assert code() == {"commit": commit, "dirty": True}
    monkeypatch.setenv("PATH", "")
    assert code() == unknown


def test_nothing_finished_is_an_empty_table(tmp_path: Path) -> None:
    assert len(load(tmp_path)) == 0


@pytest.mark.parametrize(
    "content",
    [
        *("", '{"task": "t", "pool": ', "[]", '{"accuracy": 1}', '{"queries": 3}', '{"queries": {"total": 1}}'),
        *(json.dumps(KNOWN | other) for other in ({"seed": "0"}, {"student_accuracy": "high"}, {"config": [1]})),
        *(json.dumps(KNOWN | other) for other in ({"fidelity": None}, {"device": 2})),
    ],
)
def test_a_result_json_of_something_else_is_not_taken_for_a_job(content: str, tmp_path: Path) -> None:
    make_result().save(tmp_path)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / FILE).write_text(content)
    assert load(tmp_path)["folder"].tolist() == [str(tmp_path)]
    (tmp_path / "other" / FILE).write_text(json.dumps(KNOWN))  # all that the first layout had
    assert len(load(tmp_path)) == 2
