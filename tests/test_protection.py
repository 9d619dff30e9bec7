from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torchmetrics.functional.classification import multiclass_calibration_error

from mimicbench import protection
from mimicbench.attacks import Attack
from mimicbench.evaluation import Evaluation
from mimicbench.oracles import Oracle
from mimicbench.oracles.dawn import Dawn
from mimicbench.oracles.softmax import Softmax
from mimicbench.protection import measured
from mimicbench.resident import ResidentImages
from tests.making import pictures
from tests.oracles.protected import spy
from tests.standins import CPU, SpyMentor, attached, make_composite, make_pool, make_standard

IMAGES = pictures(700, seed=3)
LABELS = torch.from_numpy(np.random.default_rng(1).integers(0, 10, 700))


CLOCK = [0.0]


class Sleepy(Oracle):
    """Takes a millisecond an image, and exchanges the first two classes."""

    def _reply(self, probabilities: Tensor, images: Tensor) -> Tensor:
        CLOCK.append(CLOCK[-1] + 1e-3 * len(images))
        return probabilities[:, [1, 0, *range(2, 10)]]


def evaluation(mentor: SpyMentor) -> Evaluation:
    images = ResidentImages(IMAGES, CPU)
    return Evaluation(images, LABELS, torch.cat([mentor(batch).argmax(1) for batch in images.batches()]))


def answers(mentor: SpyMentor) -> Tensor:
    return torch.cat([mentor(batch) for batch in ResidentImages(IMAGES, CPU).batches()])


def attack(tmp_path: Path, oracle: Oracle) -> Attack:
    oracle.recall(300)  # what a training has asked
    return attached(make_composite(make_pool(50, 32), samples_per_epoch=1000), tmp_path / "replies.npy", oracle)


def test_softmax_costs_nothing(tmp_path: Path) -> None:
    mentor = spy()
    oracle = Softmax(mentor, budget=None)
    found = measured(oracle, mentor, attack(tmp_path, oracle), evaluation(mentor))
    right = (answers(mentor).argmax(1) == LABELS).float().mean().item()
    error = multiclass_calibration_error(answers(mentor), LABELS, 10, n_bins=15).item()
    assert found.mentor_accuracy == pytest.approx(right)
    assert found.calibration_error == found.unprotected_calibration_error == pytest.approx(error, abs=1e-5)
    assert found.distortion == found.query_distortion == found.changed_queries == 0.0
    assert found.measured_queries == 300
    assert found.keeps_argmax


def test_figures_are_those_of_the_replies(tmp_path: Path) -> None:
    mentor = spy()
    oracle = Dawn(mentor, share=0.3, seed=0, budget=None)
    asked = attack(tmp_path, oracle)
    found = measured(oracle, mentor, asked, evaluation(mentor))
    images = torch.cat(list(ResidentImages(IMAGES, CPU).batches()))
    said, replies = answers(mentor), oracle._reply(answers(mentor), images)
    assert found.mentor_accuracy == pytest.approx((replies.argmax(1) == LABELS).float().mean().item())
    assert found.calibration_error == pytest.approx(
        multiclass_calibration_error(replies, LABELS, 10, n_bins=15).item(), abs=1e-5
    )
    assert found.distortion == pytest.approx((said - replies).abs().sum(1).mean().item(), rel=1e-5)
    queries = torch.cat([asked.chunk(0, start, start + 1)[0] for start in range(300)])
    said, replies = mentor(queries), oracle._reply(mentor(queries), queries)
    assert found.changed_queries == pytest.approx((said.argmax(1) != replies.argmax(1)).float().mean().item())
    assert found.query_distortion == pytest.approx((said - replies).abs().sum(1).mean().item(), rel=1e-5)
    assert 0.2 < found.changed_queries < 0.4


def test_looking_counts_as_no_query(tmp_path: Path) -> None:
    mentor = spy()
    oracle = Softmax(mentor, budget=None)
    measured(oracle, mentor, attack(tmp_path, oracle), evaluation(mentor))
    assert oracle.asked == 300


def test_what_was_never_asked_is_not_measured(tmp_path: Path) -> None:
    mentor = spy()
    oracle = Softmax(mentor, budget=None)
    asked = attack(tmp_path, oracle)
    oracle.asked = 0
    assert measured(oracle, mentor, asked, evaluation(mentor)).measured_queries == 0


def test_time_is_that_of_the_protection_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protection, "perf_counter", lambda: CLOCK[-1])
    mentor = spy()
    oracle = Sleepy(mentor, budget=None)
    found = measured(oracle, mentor, attack(tmp_path, oracle), evaluation(mentor))
    assert found.microseconds_per_query == pytest.approx(1000)
    assert found.mentor_microseconds_per_query == 0


def test_an_attack_that_cannot_tell_its_queries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mentor = spy()
    oracle = Softmax(mentor, budget=None)
    asked = attached(make_standard(make_pool(50, 32)), tmp_path / "replies.npy", oracle)
    monkeypatch.setattr(asked, "examples", lambda count: None)
    found = measured(oracle, mentor, asked, evaluation(mentor))
    assert (found.query_distortion, found.changed_queries, found.measured_queries) == (None, None, 0)
