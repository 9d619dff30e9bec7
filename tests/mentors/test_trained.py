import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning as L  # noqa: N812
import pytest
import torch

from mimicbench.augmentation import Augmentation
from mimicbench.errors import UserError
from mimicbench.hardware import Hardware
from mimicbench.mentors import Mentor, once
from mimicbench.mentors.trained import trained
from mimicbench.paths import Paths
from mimicbench.tasks import Task
from tests.making import make_paths
from tests.standins import BFLOAT16, FLOAT32, make_recipe, make_task, spied

NONE = {"augment": None, "checkpoint": None, "checkpoint_minutes": 5.0}
NETWORK = {"_target_": "mimicbench.networks.vgg.VGG16", "width": 0.05, "batch_norm": True}


def train(paths: Paths, task: Task | None = None, hardware: Hardware = FLOAT32, **changes: Any) -> Mentor:
    recipe = make_recipe(batch_size=8, learning_rate=0.05, schedule="one_cycle")
    own = {"network": NETWORK, "seed": 0, "max_epochs": 1, "samples_per_epoch": None, "recipe": recipe}
    return trained(
        task or make_task(),
        paths,
        hardware,
        **{**own, **NONE, **changes},
    )


def kept(paths: Paths) -> list[Path]:
    return sorted((paths.cache_dir / "mentors").glob("*.ckpt"))


def test_a_mentor_learns_its_task(tmp_path: Path) -> None:
    task = make_task(40)
    recipe = make_recipe(batch_size=16, learning_rate=0.01, weight_decay=5e-3, schedule="one_cycle")
    mentor = train(make_paths(tmp_path), task, max_epochs=10, recipe=recipe, network=NETWORK | {"width": 0.2})
    images = torch.from_numpy(task.test.images).permute(0, 3, 1, 2) / 255
    assert (mentor(images).argmax(1).numpy() == task.test.labels).mean() > 0.9
    assert mentor.classes == task.classes


def test_is_trained_once_and_then_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainings = spied(monkeypatch, once, "_trainer")
    paths = make_paths(tmp_path)
    first, second = train(paths), train(paths)
    assert len(trainings) == 1
    assert len(kept(paths)) == 1
    assert first.fingerprint == second.fingerprint
    images = torch.rand(3, 3, 32, 32)
    assert torch.equal(first(images), second(images))


def test_the_same_mentor_again_where_there_is_no_cache(tmp_path: Path) -> None:
    prints = []
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        torch.rand(7)  # whatever was drawn before
        prints.append(train(make_paths(tmp_path / folder)).fingerprint)
    assert prints[0] == prints[1]


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"max_epochs": 2},
        {"samples_per_epoch": 5},
        {"network": {**NETWORK, "width": 0.06}},
        {"network": {**NETWORK, "batch_norm": False}},
        {"recipe": make_recipe(batch_size=8, learning_rate=0.04, schedule="one_cycle")},
        {"recipe": make_recipe(batch_size=8, learning_rate=0.05, schedule="one_cycle", warmup=0.2)},
        {"augment": Augmentation(shift=1, rotate=0, flip=False)},
        {"task": make_task(seed=1)},
        {"task": make_task(9)},
        {"hardware": BFLOAT16},
    ],
    ids=str,
)
def test_whatever_shapes_a_mentor_changes_its_name(
    change: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Begun(Exception):  # noqa: N818
        pass

    def begin_only(*_: Any) -> None:
        raise Begun

    monkeypatch.setattr(once, "_trainer", begin_only)
    for changes in ({}, change):
        with pytest.raises(Begun):
            train(make_paths(tmp_path), **changes)
    assert len(list((tmp_path / "cache" / "mentors").glob("*.lock"))) == 2


def test_nothing_is_kept_of_a_training_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(Exception):  # noqa: N818
        pass

    def interrupted(*_: Any, **__: Any) -> None:
        raise Interrupted

    monkeypatch.setattr("lightning.Trainer.save_checkpoint", interrupted)
    with pytest.raises(Interrupted):
        train(make_paths(tmp_path))
    assert list((tmp_path / "cache" / "mentors").glob("*.ckpt")) == []


def start_and_log(folder: str) -> None:
    """What each of two processes does in the next test."""
    log = Path(folder) / "trainings"
    original = once._trainer

    def logging_trainer(*given: Any) -> L.Trainer:
        with log.open("a") as file:
            file.write("trained\n")
        return original(*given)

    once._trainer = logging_trainer
    mentor = train(Paths(data_dir=Path(folder), cache_dir=Path(folder) / "cache", output_dir=Path(folder)))
    print(json.dumps(mentor.fingerprint))


def test_processes_that_start_side_by_side_train_it_once(tmp_path: Path) -> None:
    script = f"from tests.mentors.test_trained import start_and_log; start_and_log({str(tmp_path)!r})"
    root = Path(__file__).resolve().parents[2]
    both = [
        subprocess.Popen([sys.executable, "-c", script], cwd=root, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    printed = [process.communicate(timeout=300)[0].splitlines()[-1] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert printed[0] == printed[1]
    assert (tmp_path / "trainings").read_text() == "trained\n"


def test_a_checkpoint_takes_the_place_of_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = make_paths(tmp_path)
    first = train(paths)
    trainings = spied(monkeypatch, once, "_trainer")
    other = replace(paths, cache_dir=tmp_path / "empty")
    again = train(other, seed=5, max_epochs=3, checkpoint=kept(paths)[0])
    assert not trainings
    assert not other.cache_dir.exists()
    assert again.fingerprint == first.fingerprint


def test_a_checkpoint_of_another_number_of_classes(tmp_path: Path) -> None:
    paths = make_paths(tmp_path)
    train(paths)
    with pytest.raises(UserError, match=r"mentor\.checkpoint=.* tells 3 classes apart, and 4 are asked for"):
        train(paths, make_task(classes=4), checkpoint=kept(paths)[0])


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    paths = replace(make_paths(tmp_path), cache_dir=tmp_path / "file" / "cache")
    with pytest.raises(
        UserError, match=rf"{paths.cache_dir}/mentors cannot be written \(Not a directory\); .* as paths\.cache_dir"
    ):
        train(paths)
