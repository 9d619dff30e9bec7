from pathlib import Path

import pytest
import torch

from mimicbench.errors import UserError
from tests.oracles.protected import make_oracle, some_answers, some_images


@pytest.mark.parametrize("k", [1, 2, 10])
def test_replies_are_those_of_the_formula(k: int, tmp_path: Path) -> None:
    answers = some_answers(500)
    replies = make_oracle("topk", tmp_path, f"oracle.k={k}")._reply(answers, some_images(500))
    assert ((replies > 0).sum(1) <= k).all()
    for answer, reply in zip(answers.tolist(), replies.tolist(), strict=True):
        kept = sorted(range(10), key=lambda i: (-answer[i], i))[:k]
        whole = sum(answer[i] for i in kept)
        assert reply == pytest.approx([answer[i] / whole if i in kept else 0.0 for i in range(10)], abs=1e-6)


def test_all_classes_are_the_softmax(tmp_path: Path) -> None:
    answers = some_answers(50)
    replies = make_oracle("topk", tmp_path, "oracle.k=10")._reply(answers, some_images(50))
    torch.testing.assert_close(replies, answers)


def test_more_classes_than_there_are(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"oracle\.k=11, but the mentor knows 10 classes"):
        make_oracle("topk", tmp_path, "oracle.k=11")
