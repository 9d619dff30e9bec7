import json
from pathlib import Path

import pytest
import torch
from torch import nn

from mimicbench import progress
from mimicbench.learner import Learner
from mimicbench.progress import Progress, ProgressNotes
from tests.standins import ListedChunks, make_recipe, make_trainer


class Reading(Learner):
    """Reads each note as soon as it is written; its accuracy is 0.25."""

    def __init__(self, folder: Path) -> None:
        super().__init__(nn.Sequential(nn.Linear(1, 2)), make_recipe(batch_size=2), 6, 2)
        self.folder = folder
        self.notes: list[Progress | None] = []

    def on_train_batch_end(self, *_: object) -> None:
        self.notes.append(Progress.read(self.folder))

    def validation_step(self, *_: object) -> None:
        self.log("test/accuracy", 0.25)


def fitted(folder: Path) -> Reading:
    learner = Reading(folder)
    chunks = ListedChunks(torch.zeros(6, 1), torch.full((6, 2), 0.5), 2)
    evaluation = ListedChunks(torch.zeros(1, 1), torch.zeros(1, 2), 1)
    make_trainer(2, callbacks=[ProgressNotes(folder, "student")]).fit(learner, chunks, evaluation)
    return learner


def test_notes_say_how_far_a_training_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_SECONDS", 0.0)
    notes = fitted(tmp_path).notes
    assert all(note is not None for note in notes)
    told = [(note.epoch, note.epochs, round(6 * note.share), note.accuracy) for note in notes if note]
    assert told == [
        (1, 2, 1, None),
        (1, 2, 2, None),
        (1, 2, 3, None),
        (2, 2, 4, 0.25),
        (2, 2, 5, 0.25),
        (2, 2, 6, 0.25),
    ]
    assert notes[0] is not None
    assert notes[0].seconds_left is None  # nothing to go by yet
    last = Progress.read(tmp_path)
    assert last == Progress("student", 2, 2, 1.0, 0.0, 0.25)


def test_notes_are_seldom_and_need_a_folder(tmp_path: Path) -> None:
    first, second, third, *_ = fitted(tmp_path).notes
    assert first == second == third is not None
    file = tmp_path / "progress.json"
    file.write_text(json.dumps({"another": 1}))
    assert Progress.read(tmp_path) is None
    file.write_text('{"stage": "stu')
    assert Progress.read(tmp_path) is None
    assert fitted(tmp_path / "none").notes == [None] * 6
    assert not (tmp_path / "none").exists()
