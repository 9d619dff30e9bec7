from pathlib import Path

import torch

from tests.oracles.protected import make_oracle, some_answers, some_images


def test_a_reply_goes_as_far_as_argmax_and_epsilon_let_it(tmp_path: Path) -> None:
    answers, images = some_answers(3000).double().float(), some_images(3000)
    free = make_oracle("perturbed", tmp_path, "oracle.epsilon=2")._reply(answers, images)
    near = make_oracle("perturbed", tmp_path, "oracle.epsilon=0.3")._reply(answers, images)
    assert torch.equal(free.argmax(1), answers.argmax(1))
    # Both lie on the way from the answer to the same point, and the nearer one is stopped by epsilon alone.
    distance_free, distance_near = ((one - answers).abs().sum(1) for one in (free, near))
    torch.testing.assert_close(distance_near, distance_free.clamp_max(0.3), rtol=0, atol=1e-5)
    moved = distance_free > 1e-2
    share = (distance_near / distance_free)[moved][:, None]
    torch.testing.assert_close((near - answers)[moved], share * (free - answers)[moved], rtol=0, atol=1e-5)


def test_without_a_limit_a_reply_ends_at_a_tie_or_at_the_drawn_point(tmp_path: Path) -> None:
    answers, images = some_answers(3000), some_images(3000)
    replies = make_oracle("perturbed", tmp_path, "oracle.epsilon=2")._reply(answers, images)
    top, second = replies.topk(2).values.T
    tied = (top - second) < 1e-5
    sure = torch.zeros(3000, 10).scatter_(1, answers.argmax(1)[:, None], 1.0)
    drawn = make_oracle("perturbed", tmp_path, "oracle.epsilon=2")._reply(sure, images)
    # From a sure answer the drawn point is reached wherever its largest value is the label's.
    reached = (replies - drawn).abs().amax(1) < 1e-5
    assert (tied | reached).all()
    assert tied.any()
    assert reached.any()


def test_no_room_is_the_softmax(tmp_path: Path) -> None:
    answers = some_answers(100)
    replies = make_oracle("perturbed", tmp_path, "oracle.epsilon=0")._reply(answers, some_images(100))
    torch.testing.assert_close(replies, answers, rtol=0, atol=1e-7)
