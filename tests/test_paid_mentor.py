"""Whole jobs whose mentor is a server that charges for each image."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from mimicbench.errors import UserError
from mimicbench.mentors.http import HttpMentor
from mimicbench.results import Queries, Result
from mimicbench.run import run
from mimicbench.tasks.digits import digits
from tests.making import make_paths
from tests.mentors.inference_server import serving

CONF = Path(__file__).parents[1] / "conf"
METADATA = {
    "inputs": [{"name": "images", "datatype": "FP32", "shape": [-1, 3, 32, 32]}],
    "outputs": [
        {"name": "logits", "datatype": "FP32", "shape": [-1, 10]},
        {"name": "label", "datatype": "INT64", "shape": [-1]},
    ],
}
SHORT = (
    *("experiment=audit", "mentor=http", "mentor.model=reader", "mentor.io.range=1", "mentor.wire.batch_size=128"),
    *("student.width=0.1", "trainer.max_epochs=1", "trainer.accelerator=cpu", "trainer.precision=32-true"),
    *("attack=standard", "attack.samples_per_epoch=512", "pool.crops=600", "oracle.price_per_1000=1.5"),
)
LOGITS = ("mentor.io.output=logits", "mentor.io.says=logits")


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Reads digits by the nearest mean of a class."""
    train = digits(make_paths(tmp_path_factory.mktemp("digits")), size=32).train
    pixels = (train.images / 255).transpose(0, 3, 1, 2).reshape(len(train.labels), -1)
    means = np.stack([pixels[train.labels == label].mean(0) for label in range(10)])

    def reader(images: np.ndarray) -> dict[str, np.ndarray]:
        logits = images.reshape(len(images), -1) @ means.T - (means**2).sum(1) / 2
        return {"logits": logits.astype(np.float32), "label": logits.argmax(1)}

    return reader


def job(url: str, cache: Path, folder: Path, *overrides: str) -> Result:
    places = [f"paths.output_dir={folder}", f"paths.cache_dir={cache}", f"paths.data_dir={cache}"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", [*SHORT, f"mentor.url={url}", *places, *overrides])
    folder.mkdir(parents=True, exist_ok=True)
    result = run(cfg)
    assert result is not None
    return result


def test_each_job_is_charged_for_what_no_other_had_asked(read: Any, tmp_path: Path) -> None:
    with serving(read, metadata=METADATA) as (url, witness):
        first = job(url, tmp_path / "cache", tmp_path / "one", *LOGITS, "oracle=label").queries
        charged = bill(first)
        assert first.total == 512
        assert first.reused < 5  # crops that are white all over
        assert 445 <= charged - (512 - first.reused) <= 445 + 2 * 24  # the test images, and a few that are shown
        assert len(witness.answered) == charged

        # in the same folder, for another job may be sent there
        second = job(url, tmp_path / "cache", tmp_path / "one", *LOGITS, "oracle=softmax", "seed=1").queries
        assert second.reused >= 512 - (600 - 512)
        charged += bill(second)
        assert len(witness.answered) == len(set(witness.answered)) == charged


def bill(queries: Queries) -> int:
    """Images that were charged."""
    assert queries.answered is not None
    assert queries.measuring is not None
    assert queries.answered + queries.reused == queries.total
    assert queries.price == pytest.approx(queries.answered * 1.5 / 1000)
    return queries.answered + queries.measuring


def test_the_attackers_queries_are_not_bought_again_to_measure(read: Any, tmp_path: Path) -> None:
    with serving(read, metadata=METADATA) as (url, _):
        protection = job(url, tmp_path / "cache", tmp_path / "one", *LOGITS, "oracle=label").protection
    assert protection.measured_queries == 0
    assert protection.query_distortion is None
    assert protection.mentor_accuracy > 0.8


def test_a_mentor_that_names_a_class_has_no_probabilities_to_give(read: Any, tmp_path: Path) -> None:
    with serving(read, metadata=METADATA) as (url, witness):
        with pytest.raises(UserError, match="oracle=softmax needs probabilities, but the mentor names a class alone"):
            job(url, tmp_path / "cache", tmp_path / "one", "mentor.io.output=label", "oracle=softmax")
        assert not witness.answered
        result = job(url, tmp_path / "cache", tmp_path / "one", "mentor.io.output=label", "oracle=label")
    assert result.mentor_accuracy > 0.8


@pytest.mark.parametrize("attack", ["composite", "composite_once"])
def test_a_student_learns_while_a_server_answers(read: Any, attack: str, tmp_path: Path) -> None:
    longer = (
        f"attack={attack}",
        "attack.samples_per_epoch=1024",
        "attack.chunk_size=128",
        "trainer.max_epochs=2",
        "student.width=0.25",
    )
    with serving(read, metadata=METADATA, slow=0.1) as (url, witness):
        result = job(url, tmp_path / "cache", tmp_path / "one", *LOGITS, *longer, "oracle=softmax")
    asked = {"composite": 2048, "composite_once": 1024}[attack]
    assert result.queries.total == asked
    with serving(read, metadata=METADATA, slow=0.1) as (url, _), pytest.MonkeyPatch.context() as patched:
        patched.setattr(HttpMentor, "elsewhere", False)
        there = job(url, tmp_path / "other", tmp_path / "two", *LOGITS, *longer, "oracle=softmax")
    assert there.queries.total == asked
    assert 0.1 <= result.waited_seconds < 0.8 * there.waited_seconds < there.train_seconds
    assert (result.student_accuracy, result.fidelity) == (there.student_accuracy, there.fidelity)
    assert len(witness.answered) == len(set(witness.answered))


@pytest.mark.parametrize("attack", ["standard", "composite_once"])
def test_a_job_that_is_repeated_when_it_had_ended_tells_the_same(read: Any, attack: str, tmp_path: Path) -> None:
    with serving(read, metadata=METADATA) as (url, _):
        first, again = (
            job(url, tmp_path / "cache", tmp_path / "one", *LOGITS, "oracle=label", f"attack={attack}").queries
            for _ in range(2)
        )
    assert first.total == again.total == first.unique == again.unique == 512
    assert again.repeated == 0
