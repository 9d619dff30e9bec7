"""The commands, on real jobs of a small size."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mimicbench.ownership import matrix
from mimicbench.ownership.__main__ import main
from mimicbench.ownership.owned import Owned
from mimicbench.watermarks.evidence import FILE, Evidence, Message, Triggers
from tests.ownership.conftest import EASY
from tests.test_run import started


@pytest.fixture(scope="module")
def owned(marked: Path, tmp_path_factory: pytest.TempPathFactory) -> Owned:
    return Owned.of(marked / "0", tmp_path_factory.mktemp("scratch"))


def saved(network: nn.Module, file: Path) -> str:
    torch.save(network.state_dict(), file)
    return str(file)


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    main(list(arguments))
    return capsys.readouterr().out


def refused(*arguments: str) -> str:
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    assert isinstance(end.value.code, str)
    return end.value.code


def test_a_copy_of_the_weights_is_detected(owned: Owned, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = saved(owned.fine_tuned().network, tmp_path / "copy.pt")
    said = told(
        capsys,
        *(found, "--mentor", str(owned.folder), "--keys", "99", "--points", "60"),
        *("--json", str(tmp_path / "found.json")),
    )
    assert "content: detected" in said
    assert "over the owner's threshold" in said
    by_key, by_data = json.loads((tmp_path / "found.json").read_text())
    assert by_key["word"] == "detected"
    as_good = 101 * by_key["p_value"]  # the copy itself, and what of 100 keys on a network without the mark
    assert as_good == pytest.approx(round(as_good))
    assert 1 <= as_good <= 5
    assert by_key["statistic"] == owned.evidence().score(owned.fine_tuned())
    assert all(gate["passed"] for gate in by_key["gates"])
    assert by_data["test"] == "dataset inference"
    assert 0 <= by_data["p_value"] <= 1


def test_a_fine_tuned_copy_does_not_depend_on_what_was_drawn_before_it(owned: Owned, tmp_path: Path) -> None:
    recipe = owned.config.mentor["recipe"] | {"dropout": 0.5}

    def fine_tuned(seed: int) -> str:
        (cache := tmp_path / str(seed)).mkdir()
        changed = {"paths": replace(owned.paths, cache_dir=cache), "mentor": owned.config.mentor | {"recipe": recipe}}
        torch.manual_seed(seed)
        return replace(owned, config=owned.config.model_copy(update=changed)).fine_tuned().fingerprint

    assert fine_tuned(1) == fine_tuned(2) != owned.fine_tuned().fingerprint


def test_a_student_that_is_no_good_copy_leaves_it_open(owned: Owned, capsys: pytest.CaptureFixture[str]) -> None:
    student = str(owned.folder / "last.ckpt")
    said = told(capsys, student, "--mentor", str(owned.folder), "--keys", "1", "--points", "50")
    assert said.count("inconclusive (gate failed: ") == 2
    assert "FAILED: the student should be at most 5 points below the mentor" in said


def test_a_mentor_without_a_mark_is_told_apart_by_its_data_alone(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = tmp_path / "job"
    started(cache, job, EASY, "trainer.max_epochs=1")
    said = told(capsys, str(job / "last.ckpt"), "--mentor", str(job), "--points", "50")
    assert "dataset inference: " in said
    assert "other keys" not in said
    assert "carries no mark" in refused(
        str(job / "last.ckpt"), "--mentor", str(job), "--key", str(tmp_path / "some.npz")
    )


def test_every_key_of_a_sweep_is_scored_on_every_student(
    marked: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    said = told(capsys, str(marked))
    assert "content" in said
    (found,) = matrix.read(marked)
    assert found.arm == "Composite, label"
    assert found.keys == [0, 1, 2, 3]
    for key in range(4):
        result = json.loads((marked / str(key) / "result.json").read_text())
        assert found.scores[key][key] == result["watermark"]["student_score"]
        assert found.mentor_scores[key] == result["watermark"]["mentor_score"]
        assert found.student_accuracies[key] == result["student_accuracy"]
    scratch = tmp_path_factory.mktemp("scratch")
    first, second = (Owned.of(marked / name, scratch) for name in ("0", "1"))
    student = second.suspect(marked / "1" / "last.ckpt", second.config.student)
    assert found.scores[0][1] == first.evidence().score(student)  # a row is a key's
    assert np.diagonal(found.control_scores).min() >= 0.5  # fine-tuned copies carry the marks
    assert found.verdict is not None
    assert found.verdict.word == "inconclusive"  # the students are no copies


def test_a_matrix_has_its_keys_in_their_order(marked: Path, tmp_path: Path) -> None:
    for folder, key in (("0", 3), ("1", 1), ("2", 2)):
        shutil.copytree(marked / str(key), tmp_path / folder)
    main([str(tmp_path)])
    (found,) = matrix.read(tmp_path)
    assert found.keys == [1, 2, 3]
    results = [json.loads((marked / str(key) / "result.json").read_text()) for key in found.keys]
    assert np.diagonal(found.array).tolist() == [one["watermark"]["student_score"] for one in results]


def test_jobs_without_a_checkpoint_or_a_key_are_named_and_left_out(
    marked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = tmp_path / "sweep"
    shutil.copytree(marked, sweep)
    (sweep / "1" / "last.ckpt").unlink()
    (sweep / "3" / FILE).unlink()
    shutil.copytree(marked / "1", sweep / "8")  # the first that has all counts
    shutil.copytree(marked / "2", sweep / "9")
    main([str(sweep)])
    said = capsys.readouterr().err
    assert "1 is left out: suspect=" in said
    assert "3 is left out: " in said
    assert "9 is left out: a further student of its key" in said
    assert [one.keys for one in matrix.read(sweep)] == [[0, 1, 2]]


@pytest.mark.parametrize(("count", "marked_too"), [(4, True), (3, True), (4, False)])
def test_four_students_or_more_of_all_that_the_mentors_learned_from_are_a_control_of_the_others(
    count: int, marked_too: bool, marked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = tmp_path / "sweep"
    for arm in ("photos", "images"):
        shutil.copytree(marked, sweep / arm)
    for file in (sweep / "images").glob("*/result.json"):
        result = json.loads(file.read_text())
        config = result["config"]
        config["pool"] = {"name": "training_images", "_target_": "mimicbench.pools.training_images.training_images"}
        config["pool"] |= {"task": config["task"], "watermark": config["watermark"] if marked_too else None}
        config["oracle"]["name"] = "softmax"
        config["attack"] = {**config["attack"], "name": "standard", "use": "reply"}
        result["seed"] = config["seed"] = 7  # keys are not the students' seeds
        file.write_text(json.dumps(result))
    for key in range(count, 4):
        shutil.rmtree(sweep / "images" / str(key))
    shutil.copytree(sweep / "images" / "2", sweep / "images" / "again")
    main([str(sweep)])
    said = capsys.readouterr().err
    assert said.count("a further student of its key") == 1
    assert said.count("is no control yet: that takes 4 keys") == (count < 4)
    control = count == 4 and marked_too  # images of the task alone are what students need not learn marks from
    distilled, others = sorted(matrix.read(sweep), key=lambda one: "softmax" not in one.arm)
    assert (sorted(distilled.keys), others.keys) == (list(range(count)), [0, 1, 2, 3])
    assert others.distilled_scores == (distilled.scores if control else None)
    assert distilled.distilled_scores is None
    assert any("were trained on" in gate.name for gate in others.gates) == control


def test_options_of_one_suspect_need_a_mentor(marked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([str(marked), "--student", "width=0.5"])
    assert end.value.code == 2
    assert "--student is of one suspect, which needs --mentor" in capsys.readouterr().err


@pytest.mark.parametrize(
    "student", [{"_target_": "shutil.rmtree"}, {"_target_": "mimicbench.networks.vgg.nn.Linear"}, 7]
)
def test_a_suspects_folder_cannot_name_code_to_call(student: object, owned: Owned, tmp_path: Path) -> None:
    shutil.copy(owned.folder / "last.ckpt", tmp_path)
    result = json.loads((owned.folder / "result.json").read_text())
    result["config"]["student"] = student
    (tmp_path / "result.json").write_text(json.dumps(result))
    said = refused(str(tmp_path / "last.ckpt"), "--mentor", str(owned.folder))
    assert "its network is not one of mimicbench's, and nothing else is imported" in said


def test_a_folder_without_marks_has_nothing_to_score(tmp_path: Path) -> None:
    assert "holds no two finished jobs with marks" in refused(str(tmp_path))
    assert "name --mentor too" in refused(str(tmp_path / "student.ckpt"))


def test_only_a_finished_jobs_mentor_can_be_owned(tmp_path: Path) -> None:
    assert "is not the folder of a finished job" in refused(str(tmp_path / "a.ckpt"), "--mentor", str(tmp_path))


def test_a_mark_of_which_a_job_tells_too_little_is_refused(owned: Owned, tmp_path: Path) -> None:
    result = json.loads((owned.folder / "result.json").read_text())
    del result["watermark"]["took"]
    (tmp_path / "result.json").write_text(json.dumps(result))
    said = refused(str(owned.folder / "last.ckpt"), "--mentor", str(tmp_path))
    assert said == f"{tmp_path}/result.json says nothing of watermark.took; run the job again in an empty folder."


def test_a_key_file_must_be_the_mentors_own(owned: Owned, marked: Path, tmp_path: Path) -> None:
    student, own = str(owned.folder / "last.ckpt"), owned.evidence()
    assert isinstance(own, Triggers)

    def refused_with(evidence: Evidence | None) -> str:
        if evidence is not None:
            evidence.save(tmp_path)
        return refused(student, "--mentor", str(owned.folder), "--key", str(tmp_path / FILE))

    assert f"{FILE} does not exist" in refused_with(None)
    bits = np.zeros(8, bool)
    scheme = Message("uchida", 0, 0.5, bits, 7, np.array([1, 1, 3, 3]))
    assert "is of uchida with key 0, but the mentor of" in refused_with(scheme)
    shutil.copy(marked / "1" / FILE, tmp_path)
    assert "is of content with key 1, but the mentor of" in refused_with(None)
    few = Triggers("content", 0, 0.5, own.images[:7], own.labels[:7])
    assert "holds 7 triggers, but the mark of" in refused_with(few)
    small = Triggers("content", 0, 0.5, own.images[:, ::2, ::2], own.labels)
    assert "holds triggers of 16×16 pixels" in refused_with(small)
    unknown = Triggers("content", 0, 0.5, own.images, np.full_like(own.labels, 10))
    assert "but the mentor knows 10 classes, from 0; give the key file of" in refused_with(unknown)


def test_a_suspect_must_tell_the_same_classes_apart(owned: Owned, tmp_path: Path) -> None:
    weights = owned.mentor.network.state_dict()
    weights = {name: value[:2] if value.shape[:1] == (10,) else value for name, value in weights.items()}
    torch.save(weights, tmp_path / "two.pt")
    said = refused(str(tmp_path / "two.pt"), "--mentor", str(owned.folder))
    assert said == f"suspect={tmp_path}/two.pt tells 2 classes apart, and 10 are asked for."


def test_a_setting_of_the_suspects_network_is_key_and_value(owned: Owned) -> None:
    student = str(owned.folder / "last.ckpt")
    for given, sentence in (
        ("width", "is no setting"),
        ("wide=1", "student.wide is not a key"),
        ("width=0.5", "; say the network that it was saved from with --student."),
    ):
        assert sentence in refused(student, "--mentor", str(owned.folder), "--student", given)
