"""A killed job goes on as if nothing had happened."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import torch

from mimicbench.checkpoints import Checkpoints

ROOT = Path(__file__).parents[1]
SMALL = (
    *("experiment=embedded_vgg16", "mentor.network.width=0.1", "student.width=0.1"),
    *("debug=smoke", "pool.crops=300", "trainer.precision=32-true"),
)
JOB = (
    *SMALL,
    *("mentor.max_epochs=3", "attack.samples_per_epoch=1500", "trainer.max_epochs=10", "attack.recipe.dropout=0.3"),
    *("trainer.checkpoint_minutes=0.001", "mentor.checkpoint_minutes=0.001", "mentor.samples_per_epoch=null"),
    "callbacks.progress_bar.refresh_rate=0",
)


STEPS = 12  # in an epoch of 1,500 samples


def carried_out(folder: Path, cache: Path, kills: int, longest: float, *overrides: str) -> list[str]:
    """A job in processes that are killed so often, each within ``longest`` seconds; what the script said."""
    places = (str(folder), f"paths.cache_dir={cache}")
    done = subprocess.run(
        [sys.executable, "-m", "tests.killed_again_and_again", str(kills), str(longest), *places, *JOB, *overrides],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def result_of(folder: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    for key in ("train_seconds", "waited_seconds", "samples_per_second", "config"):
        del result[key]
    for key in ("microseconds_per_query", "mentor_microseconds_per_query"):
        del result["protection"][key]
    return result


def curves_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as file:
        return [{key: value for key, value in row.items() if "second" not in key} for row in csv.DictReader(file)]


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    weights: dict[str, torch.Tensor] = torch.load(folder / "last.ckpt", weights_only=True)["state_dict"]
    return weights


@pytest.mark.parametrize(("attack", "kills"), [("composite", 20), ("standard", 8)])
def test_a_job_killed_at_random_moments_ends_as_if_it_never_was(attack: str, kills: int, tmp_path: Path) -> None:
    once, again = tmp_path / "once", tmp_path / "again"
    start = monotonic()
    carried_out(once, tmp_path / "cache of once", 0, 0, f"attack={attack}")
    longest = (monotonic() - start) / 8
    cache = tmp_path / (
        "cache of again" if attack == "composite" else "cache of once"
    )  # without a mentor, and with one
    said = "\n".join(carried_out(again, cache, kills, longest, f"attack={attack}"))
    ends = re.findall(r"(\d+) (killed|ended)$", said, re.MULTILINE)  # a progress bar may stand before it
    print(ends)
    assert sum(end == "killed" for _, end in ends) > kills / 2  # it may end before the last ones
    steps = [int(step) for step, _ in ends]
    assert steps == sorted(steps)
    assert len(set(steps)) > 2  # it went on, and did not begin anew
    assert any(step % STEPS for step in steps)  # also within an epoch
    expected, result = result_of(once), result_of(again)
    sent = sum(map(int, (again / "queries.txt").read_text().split()[1:]))
    assert result["queries"].pop("repeated") == sent - result["queries"]["total"]
    assert expected["queries"].pop("repeated") == 0
    assert result["queries"].pop("answered") == sent
    assert expected["queries"].pop("answered") == expected["queries"]["total"]
    assert result == expected
    for name, weight in weights_of(once).items():
        assert torch.equal(weight, weights_of(again)[name]), name
    assert curves_of(once) == curves_of(again)
    for folder in (again, cache / "mentors"):
        left = [file.name for file in folder.rglob("*") if file.name.startswith(".") and file.name != ".lock"]
        assert left == []


@pytest.mark.parametrize("content", [b"", b"no checkpoint", None])
def test_what_is_no_checkpoint_of_the_job_is_not_continued(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "last.ckpt"
    checkpoints = Checkpoints(file, "job", 1)
    assert checkpoints.resumable is None
    if content is None:
        torch.save({"job": "another"}, file)
    else:
        file.write_bytes(content)
    assert checkpoints.resumable is None
    torch.save({"job": "job"}, file)
    assert checkpoints.resumable == file
