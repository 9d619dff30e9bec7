from collections import Counter
from pathlib import Path

import torch

from tests.oracles.protected import make_oracle, some_answers, some_images


def test_the_label_stays_and_the_others_are_the_same_values(tmp_path: Path) -> None:
    answers = some_answers(1000)
    label = answers.argmax(1)
    replies = make_oracle("shuffled", tmp_path)._reply(answers, some_images(1000))
    assert torch.equal(replies.gather(1, label[:, None]), answers.gather(1, label[:, None]))
    torch.testing.assert_close(replies.sort(1).values, answers.sort(1).values)


def test_every_order_is_as_frequent(tmp_path: Path) -> None:
    answer = torch.tensor([[0.2, 0.1, 0.6, 0.1 - 1e-3]])
    answers, images = answer.expand(6000, 4), some_images(6000)
    replies = make_oracle("shuffled", tmp_path, classes=4)._reply(answers, images)
    orders = Counter(tuple(row) for row in replies.tolist())
    assert len(orders) == 6
    assert all(row[2] == answer[0, 2].item() for row in orders)
    assert all(abs(count - 1000) < 150 for count in orders.values())  # five standard deviations
