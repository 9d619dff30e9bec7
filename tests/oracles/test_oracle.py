from collections.abc import Callable

import pytest
import torch
from torch import nn

from mimicbench.errors import QueryBudgetExceeded
from mimicbench.mentors import Mentor, NetworkMentor
from mimicbench.networks.vgg import VGG16
from mimicbench.oracles import Oracle
from mimicbench.oracles.label import Label
from mimicbench.oracles.softmax import Softmax
from tests.oracles.protected import NAMES, make_oracle, real_mentor, some_images, spy
from tests.standins import FLOAT32, SpyMentor, randomised

Make = Callable[..., Oracle]


@pytest.fixture(params=NAMES)
def make(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Every oracle that conf/oracle names."""

    def from_conf(mentor: Mentor, budget: int | None = None) -> Oracle:
        limit = "null" if budget is None else budget
        return make_oracle(request.param, tmp_path_factory.getbasetemp(), f"oracle.budget={limit}", mentor=mentor)

    return from_conf


def images(count: int) -> torch.Tensor:
    return torch.rand(count, 3, 4, 4, generator=torch.manual_seed(count))


def test_counts_every_image(make: Make) -> None:
    oracle = make(spy())
    for count in (1, 2, 257):
        oracle.ask(some_images(count))
    assert oracle.asked == 260
    oracle.recall(300)  # an earlier process of the same run was further on
    oracle.recall(40)
    assert oracle.asked == 300


def test_a_query_that_the_budget_does_not_cover_is_not_sent(make: Make) -> None:
    mentor = spy()
    oracle = make(mentor, budget=10)
    oracle.ask(some_images(7))
    with pytest.raises(QueryBudgetExceeded, match=r"oracle\.budget=10 does not cover 4 more images after 7"):
        oracle.ask(some_images(4))
    assert len(mentor.asked) == oracle.asked == 7
    oracle.ask(some_images(3))
    assert len(mentor.asked) == oracle.asked == 10
    with pytest.raises(QueryBudgetExceeded):
        oracle.ask(some_images(1))
    assert len(mentor.asked) == oracle.asked == 10


def test_no_gradient_passes(make: Make) -> None:
    oracle = make(real_mentor(FLOAT32))
    asked = torch.rand(2, 3, 32, 32, requires_grad=True)
    replies = oracle.ask(asked)
    assert not replies.requires_grad
    assert replies.grad_fn is None


def test_nothing_behind_the_door_is_reachable_by_name(make: Make) -> None:
    oracle = make(spy())
    public = {name for name in dir(oracle) if not name.startswith("_")}
    told = {"keeps_argmax", "names_class_only", "price_per_1000", "elsewhere", "hang_up"}
    assert public == {"ask", "asked", "budget", "fingerprint", "ledger", "recall"} | told
    assert not any(isinstance(getattr(oracle, name), Mentor | nn.Module) for name in public)


@pytest.mark.parametrize("count", [1, 2, 257])
def test_label_replies_are_one_hot_at_the_mentors_class(count: int) -> None:
    replies = Label(SpyMentor(), budget=None).ask(images(count))
    assert ((replies == 0) | (replies == 1)).all()
    assert (replies.sum(1) == 1).all()
    assert torch.equal(replies.argmax(1), SpyMentor()(images(count)).argmax(1))
    assert count < 257 or len(replies.argmax(1).unique()) == 5


def test_label_takes_the_first_of_equals() -> None:
    replies = Label(SpyMentor(), budget=None)._reply(torch.tensor([[0.2, 0.4, 0.4], [0.5, 0.0, 0.5]]), images(2))
    assert replies.tolist() == [[0, 1, 0], [1, 0, 0]]


def test_softmax_replies_are_the_mentors_probabilities() -> None:
    assert torch.equal(Softmax(SpyMentor(), budget=None).ask(images(9)), SpyMentor()(images(9)))


def test_a_real_mentor_gives_softmax_and_label_the_same_classes() -> None:
    torch.manual_seed(0)
    network = randomised(VGG16(5, 32, 0.0, width=0.05, batch_norm=True))
    mentor = NetworkMentor(network, tuple("abcde"), FLOAT32)
    asked = torch.rand(40, 3, 32, 32)
    replies = Softmax(mentor, budget=None).ask(asked)
    torch.testing.assert_close(replies, network.eval()(asked).softmax(1), rtol=0, atol=1e-6)
    assert torch.equal(replies.argmax(1), Label(mentor, budget=None).ask(asked).argmax(1))


def test_what_other_ranks_send_at_the_same_time_counts_and_has_to_be_covered() -> None:
    oracle = Label(SpyMentor(), budget=10)
    assert len(oracle.ask(torch.rand(3, 3, 4, 4), together=6)) == 3
    assert oracle.asked == 6
    with pytest.raises(QueryBudgetExceeded, match="does not cover 6 more images after 6"):
        oracle.ask(torch.rand(3, 3, 4, 4), together=6)
    assert oracle.asked == 6
