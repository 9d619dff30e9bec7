from pathlib import Path

import pytest
import torch
from torch import nn

from mimicbench.attacks import Attack
from mimicbench.errors import QueryBudgetExceeded
from mimicbench.evaluation import Evaluation
from mimicbench.learner import Chunk
from mimicbench.oracles.label import Label
from mimicbench.resident import ResidentImages
from mimicbench.student import Student
from tests.making import pictures
from tests.standins import CPU, SpyMentor, make_composite, make_pool, make_recipe, make_standard, make_trainer


def fitted(attack: Attack, oracle: Label, folder: Path) -> Student:
    labels = torch.zeros(6, dtype=torch.int64)
    attack.attach(oracle, Evaluation(ResidentImages(pictures(6, 4), CPU), labels, labels), CPU, folder / "replies.npy")
    network = nn.Sequential(nn.Flatten(), nn.Linear(48, 5))
    student = Student(network, attack.recipe, attack.steps, 5)
    make_trainer(attack.epochs, reload_dataloaders_every_n_epochs=1).fit(student, datamodule=attack)
    return student


def test_an_epoch_trains_on_its_own_set_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learnt: list[Chunk] = []
    monkeypatch.setattr(
        Student, "training_step", lambda self, chunk, _: (learnt.append(chunk), self.optimizers().step())[0]
    )
    settings = {"samples_per_epoch": 50, "chunk_size": 8, "recipe": make_recipe(batch_size=4)}
    oracle = Label(SpyMentor(), budget=None)
    fitted(make_composite(make_pool(9), 3, **settings), oracle, tmp_path)
    assert [len(images) for images, _ in learnt] == 3 * [8, 8, 8, 8, 8, 8, 2]
    other = make_composite(make_pool(9), 3, **settings)
    other.attach(Label(SpyMentor(), budget=None), None, CPU, tmp_path / "other.npy")  # type: ignore[arg-type]
    expected = [other.chunk(epoch, start, min(start + 8, 50)) for epoch in range(3) for start in range(0, 50, 8)]
    for (images, replies), (expected_images, expected_replies) in zip(learnt, expected, strict=True):
        assert torch.equal(images, expected_images)
        assert torch.equal(replies, expected_replies)


@pytest.mark.parametrize("budget", [8, 50, 77, 100])
def test_a_student_stops_with_the_budget_before_the_extra_query(budget: int, tmp_path: Path) -> None:
    settings = {"samples_per_epoch": 50, "chunk_size": 8, "recipe": make_recipe(batch_size=4)}
    mentor = SpyMentor()
    attack = make_composite(make_pool(9), 4, budget, **settings)
    student = fitted(attack, Label(mentor, budget=budget), tmp_path)
    assert attack.oracle.asked == len(mentor.asked) == student.samples == budget
    whole, rest = divmod(budget, 50)
    assert student.global_step == attack.steps == whole * 13 + -(-rest // 4)
    assert student.trainer.current_epoch == attack.epochs == -(-budget // 50)


def test_an_attack_that_asks_beyond_the_budget_is_stopped_before_the_extra_query(tmp_path: Path) -> None:
    settings = {"samples_per_epoch": 50, "chunk_size": 8, "recipe": make_recipe(batch_size=4)}
    mentor = SpyMentor()
    unaware = make_composite(make_pool(9), 4, None, **settings)
    steps: list[int] = []
    with pytest.raises(QueryBudgetExceeded, match=r"oracle\.budget=60 does not cover 8 more images after 58"):
        original = Student.training_step
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                Student,
                "training_step",
                lambda self, *given: (original(self, *given), steps.append(self.global_step))[0],
            )
            fitted(unaware, Label(mentor, budget=60), tmp_path)
    assert len(mentor.asked) == unaware.oracle.asked == 58
    assert steps[-1] == 13 + 2


def test_standard_mimicking_asks_no_more_than_its_budget(tmp_path: Path) -> None:
    mentor = SpyMentor()
    attack = make_standard(make_pool(30), 3, 17, chunk_size=8, recipe=make_recipe(batch_size=4), samples_per_epoch=21)
    student = fitted(attack, Label(mentor, budget=17), tmp_path)
    assert attack.oracle.asked == len(mentor.asked) == 17
    assert student.samples == 3 * 21
    assert student.global_step == attack.steps == 3 * 6
