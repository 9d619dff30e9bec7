import torch
from hypothesis import given
from hypothesis import strategies as st

from mimicbench.oracles.argmax import label_alone, with_argmax
from tests.oracles.protected import some_answers


def test_the_label_alone_is_one_hot_at_the_first_of_equals() -> None:
    assert label_alone(torch.tensor([[0.2, 0.4, 0.4], [0.5, 0.0, 0.5]])).tolist() == [[0, 1, 0], [1, 0, 0]]


@given(st.integers(0, 10**6), st.integers(2, 12))
def test_a_reply_names_the_label_strictly(seed: int, classes: int) -> None:
    reply = some_answers(40, seed, classes)
    label = torch.randint(0, classes, (40,), generator=torch.Generator().manual_seed(seed))
    named = with_argmax(reply, label)
    own = named.gather(1, label[:, None])
    assert (named.scatter(1, label[:, None], -1.0) < own).all()
    torch.testing.assert_close(named.sum(1), reply.sum(1))
    torch.testing.assert_close(named.sort(1).values, reply.sort(1).values)  # the same values, but for rounding
    assert (named >= 0).all()


def test_a_reply_that_names_the_label_already_is_left_alone() -> None:
    reply = torch.tensor([[0.1, 0.6, 0.3], [0.2, 0.2, 0.6]])
    assert torch.equal(with_argmax(reply, torch.tensor([1, 2])), reply)
