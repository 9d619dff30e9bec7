from itertools import combinations
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.func import jacrev

from mimicbench.networks.vgg import VGG16
from mimicbench.oracles.owner import Owner
from tests.making import make_paths
from tests.oracles.protected import make_oracle, some_answers, some_images
from tests.standins import FLOAT32, make_task

NETWORK = {"_target_": "mimicbench.networks.vgg.VGG16", "width": 0.05, "batch_norm": True}


def gradients(network: nn.Module, image: Tensor) -> Tensor:
    """G, [K, D]: gradients of the log-probabilities by the weights of the last layer, by automatic differentiation."""
    last = network.classifier[-1]
    seen: list[Tensor] = []
    hook = last.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    network(image[None])
    hook.remove()
    by_weights = jacrev(lambda weight: (seen[0] @ weight.T + last.bias).log_softmax(1)[0])(last.weight)
    return by_weights.flatten(1).double()


def objective(gradient: Tensor, reply: Tensor, answer: Tensor) -> Tensor:
    """As the source writes it, for replies [S, K] and an answer [K]."""
    turned, true = reply.double() @ gradient, answer.double() @ gradient
    unit = turned / turned.norm(dim=-1, keepdim=True)
    return ((unit - true / true.norm()) ** 2).sum(-1)


def corners(label: int, classes: int, *, keep: bool) -> Tensor:
    others = [k for k in range(classes) if k != label]
    if not keep:
        return torch.eye(classes)
    sets = [(label, *some) for size in range(classes) for some in combinations(others, size)]
    return torch.stack([torch.zeros(classes).index_fill(0, torch.tensor(one), 1 / len(one)) for one in sets])


@pytest.mark.parametrize(("name", "keep"), [("mad", True), ("mad_extreme", False)])
def test_the_reply_is_that_of_a_literal_search(name: str, keep: bool, tmp_path: Path) -> None:
    classes, epsilon = 6, 0.8
    answers, images = some_answers(60, classes=classes), some_images(60)
    oracle = make_oracle(name, tmp_path, f"oracle.epsilon={epsilon}", "oracle.seed=3", classes=classes)
    replies = oracle._reply(answers, images)
    owner = Owner(make_task(classes=classes), make_paths(tmp_path), FLOAT32)
    proxy = owner.network("oracle.proxy", NETWORK, 3).eval()
    assert isinstance(proxy, VGG16)
    for answer, reply, image in zip(answers, replies, images, strict=True):
        gradient = gradients(proxy, image)
        tried = corners(int(answer.argmax()), classes, keep=keep)
        step = tried - answer
        alpha = (epsilon / step.abs().sum(1).clamp_min(1e-9)).clamp_max(1)[:, None]
        values = objective(gradient, answer + alpha * step, answer)
        possible = (answer + alpha * step)[values > values.max() - 3e-5]  # of equally good ones any may be taken
        assert (possible - reply).abs().amax(1).min() < 1e-5


def test_the_gradient_is_turned(tmp_path: Path) -> None:
    answers, images = some_answers(200), some_images(200)
    proxy = Owner(make_task(classes=10), make_paths(tmp_path), FLOAT32).network("oracle.proxy", NETWORK, 0).eval()
    kept, free = (make_oracle(name, tmp_path)._reply(answers, images) for name in ("mad", "mad_extreme"))
    turned = torch.stack(
        [
            torch.stack([objective(gradients(proxy, image), one, answer) for one in (answer, keeping, freely)])
            for image, answer, keeping, freely in zip(images[:50], answers, kept, free, strict=False)
        ]
    ).mean(0)
    assert turned[0] < 1e-9
    assert turned[1] > 0.1
    assert turned[2] > 0.1


def test_many_classes_come_close_to_the_search_over_all_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers, images = some_answers(300), some_images(300)
    oracle = make_oracle("mad", tmp_path, "oracle.epsilon=2")
    whole = oracle._reply(answers, images)
    monkeypatch.setattr("mimicbench.oracles.mad._ALL_SUBSETS", 5)
    nested = oracle._reply(answers, images)
    proxy = Owner(make_task(classes=10), make_paths(tmp_path), FLOAT32).network("oracle.proxy", NETWORK, 0).eval()
    pairs = zip(images[:60], answers, whole, nested, strict=False)
    values = torch.stack(
        [torch.stack([objective(gradients(proxy, i), one, a) for one in (w, n)]) for i, a, w, n in pairs]
    )
    assert (values[:, 1] <= values[:, 0] + 1e-4).all()  # corners that are almost as good count as equal
    assert values[:, 1].mean() > 0.95 * values[:, 0].mean()
