"""One job in this process, with spies on what passes through it."""

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from filelock import FileLock
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from sklearn.metrics import accuracy_score
from torch import Tensor

from mimicbench import job
from mimicbench import run as module
from mimicbench.errors import UserError
from mimicbench.mentors import Mentor, NetworkMentor, model_file
from mimicbench.oracles.label import Label
from mimicbench.oracles.owner import Owner
from mimicbench.pools import Pool
from mimicbench.results import Result
from mimicbench.run import run
from mimicbench.schema import build, check
from mimicbench.student import Student
from mimicbench.tasks.digits import digits
from tests.making import make_paths
from tests.standins import FLOAT32, SpyMentor, make_task, spied

CONF = Path(__file__).parents[1] / "conf"
SHORT = (
    "experiment=embedded_vgg16",
    *("mentor.network.width=0.1", "student.width=0.1", "mentor.max_epochs=1", "trainer.max_epochs=2"),
    *("pool.crops=300", "attack.samples_per_epoch=300", "attack.chunk_size=256"),
    *("trainer.accelerator=cpu", "trainer.precision=32-true"),
)


def configured(cache: Path, folder: Path, *overrides: str) -> DictConfig:
    places = [f"paths.output_dir={folder}", f"paths.cache_dir={cache}", f"paths.data_dir={folder}"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", overrides=[*SHORT, *places, *overrides])


def started(cache: Path, folder: Path, *overrides: str) -> Result:
    folder.mkdir(exist_ok=True)
    return run(configured(cache, folder, *overrides))


def as_bytes(images: Tensor) -> set[bytes]:
    pixels = (images * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
    return {image.contiguous().numpy().tobytes() for image in pixels}


@pytest.mark.parametrize("attack", ["standard", "composite", "composite_once"])
def test_the_student_learns_from_no_test_image_and_through_no_gradient_of_the_mentor(
    attack: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunks = spied(monkeypatch, Student, "training_step")
    measured = spied(monkeypatch, Student, "validation_step")
    started(cache, tmp_path, f"attack={attack}", "attack.augment=null")

    test = {image.tobytes() for image in digits(make_paths(tmp_path), size=32).test.images}
    assert set.union(*(as_bytes(batch[0]) for _, batch, *_ in measured)) == test
    learnt = set.union(*(as_bytes(images) for _, (images, *_), *_ in chunks))
    assert len(learnt) > 200
    assert not learnt & test
    for _, (images, replies, _), *_ in chunks:
        assert not images.requires_grad
        assert not replies.requires_grad
        assert replies.grad_fn is None


@pytest.mark.parametrize("oracle", ["label", "softmax"])
def test_the_student_learns_what_the_oracle_replies(
    oracle: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunks = spied(monkeypatch, Student, "training_step")
    mentors: list[Mentor] = []
    original = NetworkMentor.__init__
    monkeypatch.setattr(
        NetworkMentor, "__init__", lambda self, *given: (mentors.append(self), original(self, *given))[1]
    )
    started(cache, tmp_path, f"oracle={oracle}", "trainer.max_epochs=1")
    for _, (images, replies, _), *_ in chunks:
        answers = mentors[0](images)
        if oracle == "label":
            answers = torch.nn.functional.one_hot(answers.argmax(1), 10).float()
        torch.testing.assert_close(replies, answers, rtol=0, atol=1e-5)


def test_the_result_is_what_the_last_student_does(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    students: list[Student] = []
    original = Student.__init__
    monkeypatch.setattr(Student, "__init__", lambda self, *given: (students.append(self), original(self, *given))[1])
    result = started(cache, tmp_path, "oracle.budget=450")
    test = digits(make_paths(tmp_path), size=32).test
    images = torch.from_numpy(test.images).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        classes = students[0].eval()(images).argmax(1).numpy()
    config = check(configured(cache, tmp_path))
    mentor = build("mentor", config.mentor, digits(config.paths, size=32), config.paths, FLOAT32)
    mentor_classes = mentor(images).argmax(1).numpy()
    assert result.student_accuracy == pytest.approx(accuracy_score(test.labels, classes))
    assert result.mentor_accuracy == pytest.approx(accuracy_score(test.labels, mentor_classes))
    assert result.fidelity == pytest.approx(accuracy_score(mentor_classes, classes))
    assert result.relative_accuracy == pytest.approx(result.student_accuracy / result.mentor_accuracy)
    assert (result.queries.total, result.queries.budget, result.epochs, result.sgd_steps) == (450, 450, 2, 3 + 2)
    assert json.loads((tmp_path / "result.json").read_text())["fidelity"] == result.fidelity


def test_a_student_can_be_the_next_mentor(cache: Path, tmp_path: Path) -> None:
    folder = tmp_path / "first"
    first = started(cache, folder)
    second = started(cache, tmp_path / "second", f"mentor.checkpoint={folder / 'last.ckpt'}")
    assert second.mentor_file == model_file.content(folder / "last.ckpt")
    assert second.mentor_accuracy == pytest.approx(first.student_accuracy)


def test_replies_are_kept_under_a_name_made_of_all_that_they_depend_on(cache: Path, tmp_path: Path) -> None:
    pool, mentor = Pool(np.zeros((0, 1, 1, 3), np.uint8), "pool"), SpyMentor()

    def name(*overrides: str, pool: Pool = pool, mentor: Mentor = mentor, trained_for_it: str = "") -> Path:
        oracle = Label(mentor, budget=None)
        oracle.fingerprint = trained_for_it
        return job._replies(check(configured(cache, tmp_path, *overrides)), mentor, oracle, pool)

    other = SpyMentor()
    other.fingerprint = "other"
    same = {name(), name("attack.recipe.learning_rate=0.3"), name("trainer.max_epochs=7"), name("student.width=0.2")}
    same |= {name("attack.use=label")}
    assert len(same) == 1
    different = {
        *(name("oracle=softmax"), name("oracle.budget=290"), name("seed=1"), name("attack.images=3")),
        *(name("attack.ratio=uniform"), name("attack.samples_per_epoch=299"), name("attack=standard")),
        *(name(mentor=other), name(pool=Pool(pool.images, "other")), name(trained_for_it="other")),
    }
    assert len(different | same) == 11
    assert all(file.parent == tmp_path / "replies" for file in different | same)


@pytest.mark.parametrize(
    "wrong",
    [
        *("+attack.recipe.learning_rat=1", "+mentor.network.widht=1", "mentor.network.width=-1", "+student.depth=3"),
        *("seed=4294967296", "mentor.seed=4294967296", "+task.sise=32", "trainer.max_epochs=0"),
        *("+trainer.max_epoch=3", "attack._target_=mimicbench.attacks", "trainer.precision=16", "seed=-1", "+sede=1"),
        *("logger.csv.save_dir=${nowhere}", "+logger.csv.prefx=a", "paths.cache_dir=null"),
    ],
)
def test_a_wrong_section_is_refused_before_anything_is_read(
    wrong: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: Any, **__: Any) -> None:
        raise AssertionError("something was read")

    monkeypatch.setattr(job, "build", read)
    with pytest.raises(UserError) as caught:
        started(cache, tmp_path, wrong)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ("attack.samples_per_epoch=many", "attack.samples_per_epoch=many is refused"),
        ("attack.samples_per_epoch=0", "attack.samples_per_epoch=0 is refused"),
        ("oracle.budget=100", "oracle.budget=100 does not cover one chunk"),
        ("pool.crops=200", "fewer than attack.chunk_size=256"),
        ("trainer.devices=0", "trainer.devices=0 is refused"),
        ("trainer.num_nodes=2", "start the job by torchrun"),
        ("mentor.network.width=100", "mentor.network.width=100 is refused"),
        ("mentor.checkpoint=nowhere.ckpt", "mentor.checkpoint=nowhere.ckpt is not a file"),
    ],
)
def test_a_users_mistake_is_one_sentence(wrong: str, sentence: str, cache: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=re.escape(sentence)):
        started(cache, tmp_path, wrong)
    assert {file.name for file in tmp_path.iterdir()} <= {".lock"}


def test_a_rerun_that_fails_leaves_nothing_of_the_earlier_run(cache: Path, tmp_path: Path) -> None:
    for stale in ("result.json", "predictions.npz", "examples.npz"):
        (tmp_path / stale).write_text("{}")
    with pytest.raises(UserError):
        started(cache, tmp_path, "pool.crops=200")
    assert {file.name for file in tmp_path.iterdir()} == {".lock"}


def test_a_budget_in_scientific_notation_is_a_number(
    cache: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    queries = started(cache, tmp_path, "oracle.budget=4e2").queries
    assert (queries.total, queries.budget) == (400, 400)
    assert "oracle.budget=400 ends the training after 400 of 600 samples" in caplog.text


@pytest.mark.parametrize(("budget", "told"), [(400, True), (300, False)])
def test_a_budget_that_is_not_spent_is_told(
    budget: int, told: bool, cache: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    started(cache, tmp_path, "attack=composite_once", f"oracle.budget={budget}")
    said = [one.getMessage() for one in caplog.records if "were asked" in one.getMessage()]
    assert (
        said
        == [
            "Of oracle.budget=400, 300 were asked: the attack asks about no more; see "
            "attack.samples_per_epoch, and how many images the pool holds."
        ]
        * told
    )


def test_a_job_that_has_ended_is_not_trained_again(cache: Path, tmp_path: Path) -> None:
    def measured(*overrides: str) -> dict[str, Any]:
        result = asdict(started(cache, tmp_path, *overrides))
        return {key: result[key] for key in ("seed", "student_accuracy", "fidelity", "queries", "sgd_steps")}

    first, saved = measured(), (tmp_path / "last.ckpt").stat().st_mtime_ns
    assert measured() == first
    assert (tmp_path / "last.ckpt").stat().st_mtime_ns == saved
    assert measured("trainer.resume=false") == first
    assert (tmp_path / "last.ckpt").stat().st_mtime_ns != saved
    other = measured("seed=1")  # another job in the same folder
    assert other["seed"] == 1
    assert other["queries"]["repeated"] == 0


def test_a_finished_job_keeps_its_result_when_weights_and_biases_fails(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr(module.wandb_media, "log", fail)
    with pytest.raises(ConnectionError):
        started(cache, tmp_path, "trainer.max_epochs=1")
    assert {"result.json", "predictions.npz", "examples.npz"} <= {file.name for file in tmp_path.iterdir()}


def test_one_process_is_one_process_whatever_slurm_says(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "SLURM_NTASKS": "4",
        "SLURM_JOB_NAME": "job",
        "SLURM_PROCID": "3",
        "SLURM_LOCALID": "3",
    }.items():
        monkeypatch.setenv(name, value)
    assert started(cache, tmp_path, "trainer.max_epochs=1").sgd_steps == 3


def test_a_result_is_left_only_by_a_job_that_finished(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(Exception):  # noqa: N818
        pass

    def break_off(*_: Any) -> None:
        raise Broken

    monkeypatch.setattr(Student, "on_validation_epoch_end", break_off)
    with pytest.raises(Broken):
        started(cache, tmp_path)
    assert not (tmp_path / "result.json").exists()


@pytest.mark.parametrize("needless", ["+trainer.limit_val_batches=0", "+trainer.check_val_every_n_epoch=5"])
def test_a_run_that_would_not_measure_its_last_epoch_is_refused(needless: str, cache: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError):
        started(cache, tmp_path, needless)


def test_two_processes_do_not_work_in_one_folder(cache: Path, tmp_path: Path) -> None:
    with FileLock(tmp_path / ".lock"), pytest.raises(UserError, match=r"Another process works in .*; wait for it, or"):
        started(cache, tmp_path)
    assert not (tmp_path / "result.json").exists()


def test_a_student_begins_neither_as_its_mentor_nor_as_a_protections_network(cache: Path, tmp_path: Path) -> None:
    # All have the same architecture and the seed 0.
    folder = tmp_path / "run"
    folder.mkdir()
    made = job.assemble(check(configured(cache, folder, "oracle=mad", "seed=0", "mentor.seed=0")))
    torch.manual_seed(0)
    mentor = build("mentor.network", made.config.mentor["network"], 10, 32, 0.0)
    proxy = Owner(make_task(classes=10), made.config.paths, FLOAT32).network(
        "oracle.proxy", made.config.oracle["proxy"], 0
    )
    first = [next(network.parameters()) for network in (made.student.network, mentor, proxy)]
    assert first[0].shape == first[1].shape == first[2].shape
    assert not any(torch.equal(first[i], first[j]) for i, j in ((0, 1), (0, 2), (1, 2)))
