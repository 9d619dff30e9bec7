"""What a protection costs the owner of a mentor, and how much of what the attacker is told it changes."""

from time import perf_counter

import torch
from torch import Tensor

from mimicbench.attacks import Attack
from mimicbench.evaluation import Evaluation
from mimicbench.mentors import Mentor
from mimicbench.oracles import Oracle
from mimicbench.predictions import calibration
from mimicbench.resident import answered_at_once
from mimicbench.results import Protection

_QUERIES = 16384  # of the attacker's, at most: a share of them has a standard error of 0.4 points at most


def measured(oracle: Oracle, mentor: Mentor, attack: Attack, evaluation: Evaluation) -> Protection:
    """Measure an oracle, on the test images and on what an attack asks.

    Args:
        oracle: What protects.
        mentor: What it protects.
        attack: Whose queries are looked at.
        evaluation: The test images with their classes.
    """
    timed = _Timed(oracle, mentor)
    timed(next(evaluation.all_images()))  # so that the first use of anything is not counted
    timed.mentor_seconds = timed.seconds = 0.0
    answers, replies = (torch.cat(parts) for parts in zip(*map(timed, evaluation.all_images()), strict=True))
    labels = evaluation.labels.cpu().numpy()
    count, seconds, mentor_seconds = len(labels), timed.seconds, timed.mentor_seconds
    paid = mentor.account is not None  # then queries are not asked about for this alone
    query_distortion, changed, asked = (None, None, 0) if paid else _on_queries(timed, attack)
    return Protection(
        keeps_argmax=oracle.keeps_argmax,
        mentor_accuracy=int((replies.argmax(1) == evaluation.labels).sum()) / count,
        calibration_error=calibration(replies.cpu().numpy(), labels).error,
        unprotected_calibration_error=calibration(answers.cpu().numpy(), labels).error,
        distortion=_distance(answers, replies) / count,
        query_distortion=query_distortion,
        changed_queries=changed,
        measured_queries=asked,
        microseconds_per_query=seconds / count * 1e6,
        mentor_microseconds_per_query=mentor_seconds / count * 1e6,
    )


class _Timed:
    """Asks mentor and protection, and adds up how long each takes."""

    def __init__(self, oracle: Oracle, mentor: Mentor) -> None:
        self._oracle = oracle
        self._mentor = mentor
        self.seconds = self.mentor_seconds = 0.0

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The mentor's answers and the oracle's replies, float32 [B, K] each."""
        begun = _now(images)
        answers = self._mentor(images)
        answered = _now(images)
        replies = self._oracle._reply(answers, images)
        self.mentor_seconds += answered - begun
        self.seconds += _now(images) - answered
        return answers, replies


def _on_queries(ask: _Timed, attack: Attack) -> tuple[float | None, float | None, int]:
    draws = attack.examples(min(_QUERIES, attack.oracle.asked))
    if draws is None or not len(draws.index):
        return None, None, 0
    index, weight = torch.from_numpy(draws.index), torch.from_numpy(draws.weight).float()
    distance, changed, size = 0.0, 0, answered_at_once(attack.images.device)
    for start in range(0, len(index), size):
        answers, replies = ask(attack.images.blend(index[start : start + size], weight[start : start + size]))
        distance += _distance(answers, replies)
        changed += int((answers.argmax(1) != replies.argmax(1)).sum())
    return distance / len(index), changed / len(index), len(index)


def _distance(answers: Tensor, replies: Tensor) -> float:
    return float((answers - replies).abs().sum(dtype=torch.float64))


def _now(images: Tensor) -> float:
    if images.device.type == "cuda":
        torch.cuda.synchronize(images.device)
    return perf_counter()
