from pathlib import Path

import pytest
import torch
from scipy import stats

from tests.oracles.protected import make_oracle, some_answers, some_images


@pytest.mark.parametrize("share", [0.0, 0.05, 1.0])
def test_a_share_of_the_labels_is_swapped_and_nothing_else_is_touched(share: float, tmp_path: Path) -> None:
    answers, images = some_answers(4000), some_images(4000)
    replies = make_oracle("dawn", tmp_path, f"oracle.share={share}")._reply(answers, images)
    changed = (replies != answers).any(1)
    wrong = replies.argmax(1) != answers.argmax(1)
    assert torch.equal(changed, wrong)
    assert stats.binomtest(int(wrong.sum()), 4000, share).pvalue > 1e-3
    torch.testing.assert_close(replies.sort(1).values, answers.sort(1).values)


def test_all_wrong_classes_are_as_frequent(tmp_path: Path) -> None:
    answers = torch.tensor([0.1, 0.6, 0.2, 0.1]).expand(6000, 4)
    replies = make_oracle("dawn", tmp_path, "oracle.share=1", classes=4)._reply(answers, some_images(6000))
    counts = torch.bincount(replies.argmax(1), minlength=4)
    assert counts[1] == 0
    assert stats.chisquare(counts[[0, 2, 3]].numpy()).pvalue > 1e-3
