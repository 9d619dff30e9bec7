from pathlib import Path
from threading import Event
from time import sleep
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mimicbench.attacks import Attack
from mimicbench.augmentation import Augmentation
from mimicbench.errors import QueryBudgetExceeded, UserError
from mimicbench.evaluation import Evaluation
from mimicbench.learner import Chunk
from mimicbench.oracles.label import Label
from mimicbench.rank import ALONE, Rank
from mimicbench.resident import ResidentImages
from mimicbench.student import Student
from tests.making import pictures
from tests.standins import CPU, SpyMentor, make_composite, make_pool, make_recipe, make_standard, make_trainer, until


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
    assert [len(images) for images, *_ in learnt] == 3 * [8, 8, 8, 8, 8, 8, 2]
    other = make_composite(make_pool(9), 3, **settings)
    other.attach(Label(SpyMentor(), budget=None), None, CPU, tmp_path / "other.npy")  # type: ignore[arg-type]
    expected = [other.chunk(epoch, start, min(start + 8, 50)) for epoch in range(3) for start in range(0, 50, 8)]
    for (images, replies, samples), (expected_images, expected_replies) in zip(learnt, expected, strict=True):
        assert torch.equal(images, expected_images)
        assert samples == len(images)
        assert torch.equal(replies, expected_replies)


def spy(elsewhere: bool) -> SpyMentor:
    mentor = SpyMentor()
    mentor.elsewhere = elsewhere
    return mentor


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("budget", [8, 50, 77, 100])
def test_a_student_stops_with_the_budget_before_the_extra_query(budget: int, elsewhere: bool, tmp_path: Path) -> None:
    settings = {"samples_per_epoch": 50, "chunk_size": 8, "recipe": make_recipe(batch_size=4)}
    mentor = spy(elsewhere)
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


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("make", [make_composite, make_standard])
@pytest.mark.parametrize("changes", [{}, {"augment": Augmentation(shift=1, rotate=15, flip=True)}, {"refresh": "once"}])
def test_ranks_make_together_what_one_makes_and_each_of_every_sgd_batch_its_part(
    count: int, make: Any, changes: dict[str, Any], tmp_path: Path
) -> None:
    if make is make_standard and changes == {"refresh": "once"}:
        pytest.skip("composites alone are refreshed")

    def attack(rank: Rank, folder: Path) -> Attack:
        settings = {"samples_per_epoch": 61, "chunk_size": 21, "recipe": make_recipe(batch_size=7), **changes}
        made: Attack = make(make_pool(30), 3, None, 4, **settings)
        mentors.append(SpyMentor())
        made.attach(Label(mentors[-1], budget=None), None, CPU, folder / "replies.npy", rank)  # type: ignore[arg-type]
        return made

    mentors: list[SpyMentor] = []
    ranks = [attack(Rank(number, count), tmp_path / "together") for number in range(count)]
    alone = attack(ALONE, tmp_path / "alone")
    for epoch in (0, 2):
        for start, stop in ((0, 21), (21, 42), (42, 61)):
            expected_images, expected_replies = alone.chunk(epoch, start, stop)
            images, replies = torch.zeros_like(expected_images), torch.zeros_like(expected_replies)
            for one in ranks:
                rows = torch.from_numpy(one.places(start, stop)) - start
                images[rows], replies[rows] = one.chunk(epoch, start, stop)
            torch.testing.assert_close(images, expected_images, rtol=0, atol=1e-6 if changes else 0)
            assert torch.equal(replies, expected_replies)
    assert {one.oracle.asked for one in ranks} == {alone.oracle.asked}
    assert sum(len(seen) for mentor in mentors for seen in mentor.seen) == 2 * alone.oracle.asked  # by ranks and alone


def test_an_sgd_batch_with_too_few_samples_for_the_ranks_is_refused(tmp_path: Path) -> None:
    attack = make_composite(make_pool(30), 2, samples_per_epoch=29, chunk_size=14, recipe=make_recipe(batch_size=7))
    with pytest.raises(UserError, match="2 devices cannot divide an SGD batch of 1 samples"):
        attack.attach(Label(SpyMentor(), budget=None), None, CPU, tmp_path, Rank(0, 2))  # type: ignore[arg-type]


def made(kind: str) -> Attack:
    settings = {"samples_per_epoch": 50, "chunk_size": 8, "recipe": make_recipe(batch_size=4, learning_rate=0.1)}
    if kind == "standard":
        return make_standard(make_pool(40), 3, **settings)
    return make_composite(make_pool(9), 3, refresh=kind, **settings)


@pytest.mark.parametrize("kind", ["epoch", "once", "standard"])
def test_a_student_that_learns_while_the_mentor_answers_learns_the_same(kind: str, tmp_path: Path) -> None:
    students = []
    for elsewhere in (False, True):
        torch.manual_seed(0)
        mentor = spy(elsewhere)
        attack = made(kind)
        students.append(fitted(attack, Label(mentor, budget=None), tmp_path / str(elsewhere)))
        assert attack.oracle.asked == len(mentor.asked) == {"epoch": 150, "once": 50, "standard": 40}[kind]
        assert attack.waited > 0
        assert attack.state_dict() == {"asked": attack.oracle.asked, "waited": attack.waited}
    here, there = (student.network.state_dict() for student in students)
    for name, weights in here.items():
        assert torch.equal(weights, there[name]), name


@pytest.mark.parametrize(("kind", "asked", "kept"), [("epoch", 16, 8), ("once", 50, 50), ("standard", 40, 40)])
def test_a_checkpoint_counts_what_need_not_be_asked_again(kind: str, asked: int, kept: int, tmp_path: Path) -> None:
    attack = made(kind)
    nothing = Evaluation(ResidentImages(pictures(0), CPU), *2 * [torch.zeros(0, dtype=torch.int64)])
    attack.attach(Label(spy(True), budget=None), nothing, CPU, tmp_path / "replies.npy")
    attack.trainer = make_trainer()
    assert attack.state_dict()["asked"] == 0
    chunks = iter(attack.train_dataloader())
    next(chunks)
    until(lambda: attack.oracle.asked >= asked and attack.settled() >= kept)
    if kind != "epoch":
        next(chunks)
        next(chunks)  # made when all were kept
    assert attack.oracle.asked == (asked if kind != "epoch" else 16)
    assert attack.state_dict()["asked"] == kept


@pytest.mark.parametrize("kind", ["epoch", "once", "standard"])
def test_a_student_that_fails_ends_the_asking(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Hung(SpyMentor):
        elsewhere = True
        hung_up = False

        def hang_up(self) -> None:
            self.hung_up = True

        def __call__(self, images: Tensor) -> Tensor:
            until(lambda: self.hung_up or len(self.seen) < 2)  # the third query takes long
            return super().__call__(images)

    def fails(*_: Any) -> None:
        raise ValueError("here")

    mentor = Hung()
    monkeypatch.setattr(Student, "training_step", fails)
    with pytest.raises(ValueError, match="here"):
        fitted(made(kind), Label(mentor, budget=None), tmp_path)
    assert mentor.hung_up
    sleep(0.2)
    assert len(mentor.seen) <= 3  # what was under way


@pytest.mark.parametrize("kind", ["once", "standard"])
def test_a_checkpoint_counts_nothing_of_a_list_that_is_not_kept_yet(kind: str, tmp_path: Path) -> None:
    let = Event()

    class Slow(SpyMentor):
        elsewhere = True

        def __call__(self, images: Tensor) -> Tensor:
            assert len(self.seen) < 3 or let.wait(60)
            return super().__call__(images)

    attack = made(kind)
    nothing = Evaluation(ResidentImages(pictures(0), CPU), *2 * [torch.zeros(0, dtype=torch.int64)])
    attack.attach(Label(Slow(), budget=None), nothing, CPU, tmp_path / "replies.npy")
    attack.trainer = make_trainer()
    next(iter(attack.train_dataloader()))
    assert attack.oracle.asked >= 8
    assert attack.state_dict()["asked"] == 0
    let.set()


@pytest.mark.parametrize(("kind", "count"), [("once", 50), ("standard", 40)])
def test_several_ranks_do_not_learn_before_all_of_a_list_is_there(kind: str, count: int, tmp_path: Path) -> None:
    class Slow(SpyMentor):
        elsewhere = True

        def __call__(self, images: Tensor) -> Tensor:
            sleep(0.1)
            return super().__call__(images)

    attack = made(kind)
    nothing = Evaluation(ResidentImages(pictures(0), CPU), *2 * [torch.zeros(0, dtype=torch.int64)])
    attack.attach(Label(Slow(), budget=None), nothing, CPU, tmp_path / "replies.npy", Rank(0, 2))
    attack.trainer = make_trainer()
    next(iter(attack.train_dataloader()))
    assert attack.settled() == count
