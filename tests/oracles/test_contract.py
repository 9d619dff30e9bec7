"""What every oracle promises."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from torch import Tensor

from mimicbench.errors import UserError
from mimicbench.hardware import Hardware
from mimicbench.mentors.trained import trained
from mimicbench.oracles import Oracle
from mimicbench.resident import ResidentImages
from mimicbench.schema import check
from mimicbench.tasks.cifar10 import cifar10
from mimicbench.tasks.task import LabelledImages, Task
from tests.making import SHARED_DATA, make_paths
from tests.oracles.protected import CONF, NAMES, make_oracle, real_mentor, some_answers, some_images
from tests.standins import BFLOAT16, CPU, FLOAT32, make_recipe

KEEPERS = {
    "label",
    "mad",
    "modelguard_w",
    "perturbed",
    "reverse_sigmoid",
    "rounded",
    "shuffled",
    "softmax",
    "topk",
}
Made = Callable[[str], Oracle]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Each oracle, made once."""
    folder, kept = tmp_path_factory.mktemp("oracles"), dict[str, Oracle]()

    def make(name: str) -> Oracle:
        if name not in kept:
            kept[name] = make_oracle(name, folder)
        return kept[name]

    return make


def assert_on_the_simplex(replies: Tensor) -> None:
    assert replies.dtype == torch.float32
    assert torch.isfinite(replies).all()
    assert (replies >= 0).all()
    torch.testing.assert_close(replies.sum(1), torch.ones(len(replies)), rtol=0, atol=2e-6)


def test_which_oracles_claim_to_keep_the_argmax(made: Made) -> None:
    assert {name for name in NAMES if made(name).keeps_argmax} == KEEPERS


@pytest.mark.parametrize("hardware", [FLOAT32, BFLOAT16], ids=["float32", "bf16"])
@pytest.mark.parametrize("name", NAMES)
def test_replies_of_a_network_are_distributions(name: str, hardware: Hardware, tmp_path: Path) -> None:
    mentor = real_mentor(hardware)
    oracle = make_oracle(name, tmp_path, mentor=mentor, hardware=hardware)
    for count in (1, 2, 257):
        images = some_images(count)
        replies = oracle.ask(images)
        assert replies.shape == (count, 10)
        assert_on_the_simplex(replies)
        if oracle.keeps_argmax:
            assert torch.equal(replies.argmax(1), mentor(images).argmax(1))
    assert len(mentor(some_images(257)).argmax(1).unique()) == 10


@pytest.mark.parametrize("name", NAMES)
def test_replies_to_answers_of_all_kinds_are_distributions(name: str, made: Made) -> None:
    assert_on_the_simplex(made(name)._reply(some_answers(2000), some_images(2000)))


@pytest.mark.parametrize("name", NAMES)
def test_asking_again_in_another_batch_and_order_gives_the_same(name: str, made: Made) -> None:
    answers, images = some_answers(257), some_images(257)
    whole = made(name)._reply(answers, images)
    assert torch.equal(made(name)._reply(answers, images), whole)
    order = torch.randperm(257, generator=torch.Generator().manual_seed(1))
    for rows in (*order[:9].split(1), *order[9:29].split(2), *order[29:].split(100)):
        # Networks of a protection round differently in batches of another size.
        torch.testing.assert_close(made(name)._reply(answers[rows], images[rows]), whole[rows], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["dawn", "edm", "gaussian", "perturbed", "shuffled"])
def test_what_is_random_depends_on_image_and_seed(name: str, made: Made, tmp_path: Path) -> None:
    answers = some_answers(64)[:1].expand(64, 10).clone() * 0.5 + 0.05  # the same for all
    overrides = ["oracle.share=0.5"] if name == "dawn" else []
    first, other = (make_oracle(name, tmp_path, f"oracle.seed={seed}", *overrides) for seed in (0, 1))
    images = some_images(64)
    replies = first._reply(answers, images)
    assert len(replies.unique(dim=0)) > 1
    assert not torch.equal(replies, other._reply(answers, images))


@pytest.mark.parametrize("name", sorted(KEEPERS))
def test_the_argmax_of_100_000_random_answers_is_kept(name: str, made: Made) -> None:
    images = some_images(10_000)
    for seed in range(10):
        answers = some_answers(10_000, seed)
        assert torch.equal(made(name)._reply(answers, images).argmax(1), answers.argmax(1))


@pytest.mark.parametrize("classes", [2, 3, 37])
@pytest.mark.parametrize("name", sorted(KEEPERS))
def test_the_argmax_is_kept_for_any_number_of_classes(name: str, classes: int, tmp_path: Path) -> None:
    answers, images = some_answers(1000, classes=classes), some_images(1000)
    oracle = make_oracle(name, tmp_path, *(["oracle.k=2"] if name == "topk" else []), classes=classes)
    replies = oracle._reply(answers, images)
    assert_on_the_simplex(replies)
    assert torch.equal(replies.argmax(1), answers.argmax(1))


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tensor, Tensor]:
    """The 10,000 test images of CIFAR-10, and what a network that learned 5,000 of its training images says of them."""
    if not SHARED_DATA.is_dir():
        pytest.skip("needs real data in ../shared/data")
    paths = make_paths(tmp_path_factory.mktemp("real"))
    whole = cifar10(replace(paths, data_dir=SHARED_DATA), folder="cifar10", download=False)
    part = LabelledImages(whole.train.images[:5000], whole.train.labels[:5000])
    few = LabelledImages(whole.test.images[:256], whole.test.labels[:256])
    mentor = trained(
        Task(whole.classes, part, few, "part of CIFAR-10"),
        paths,
        BFLOAT16,
        network={"_target_": "mimicbench.networks.vgg.VGG16", "width": 0.1, "batch_norm": True},
        seed=0,
        max_epochs=4,
        samples_per_epoch=None,
        recipe=make_recipe(batch_size=64, learning_rate=0.05, schedule="one_cycle"),
        augment=None,
        checkpoint=None,
        checkpoint_minutes=5.0,
    )
    images = torch.cat(list(ResidentImages(np.asarray(whole.test.images), CPU).batches()))
    answers = mentor(images)
    assert (answers.argmax(1).numpy() == whole.test.labels).mean() > 0.3  # it has learned something
    return answers, images


@pytest.mark.parametrize("name", sorted(KEEPERS))
def test_the_argmax_of_10_000_real_answers_is_kept(name: str, made: Made, real: tuple[Tensor, Tensor]) -> None:
    answers, images = real
    assert len(answers) == 10_000
    replies = made(name)._reply(answers, images)
    assert_on_the_simplex(replies)
    assert torch.equal(replies.argmax(1), answers.argmax(1))


@pytest.mark.parametrize("epsilon", [0.1, 1.0])
@pytest.mark.parametrize("name", ["mad", "mad_extreme", "modelguard_w", "perturbed"])
def test_no_reply_is_further_away_than_epsilon(name: str, epsilon: float, tmp_path: Path) -> None:
    answers, images = some_answers(2000), some_images(2000)
    replies = make_oracle(name, tmp_path, f"oracle.epsilon={epsilon}")._reply(answers, images)
    distances = (replies - answers).abs().sum(1)
    assert distances.max() <= epsilon + 2e-6
    assert distances.median() > 0.5 * epsilon  # the room is used


@pytest.mark.parametrize(
    ("oracle", "mistake", "sentence"),
    [
        (
            "edm",
            "oracle.training.network={_target_:mimicbench.networks.vgg.VGG16,depth:3}",
            r"oracle\.training\.network\.depth is not a key",
        ),
        ("edm", "oracle.auxiliary.crops=none", r"oracle\.auxiliary\.crops=none is refused"),
        ("edm", "oracle.members=1", r"oracle\.members=1 is refused: input should be greater than or equal to 2"),
        ("mad", "oracle.proxy={width:0.1}", r"oracle\.proxy=.* is refused: it names no _target_"),
        ("mad", "oracle.epsilon=3", r"oracle\.epsilon=3 is refused: input should be less than or equal to 2"),
        ("modelguard_w", "oracle.epsilon=0", r"oracle\.epsilon=0 is refused"),
        ("dawn", "oracle.share=1.5", r"oracle\.share=1\.5 is refused"),
        ("gaussian", "oracle.space=pixels", r"oracle\.space=pixels is refused: input should be 'logits' or"),
        ("adaptive_misinformation", "oracle.threshold=2", r"oracle\.threshold=2 is refused"),
        (
            "adaptive_misinformation",
            "oracle.training.recipe={speed:2}",
            r"oracle\.training\.recipe\.speed is not a key",
        ),
        ("softmax", "attack.use=logits", r"attack\.use=logits is refused: input should be 'reply' or 'label'"),
    ],
)
def test_a_mistake_is_refused_at_the_door(oracle: str, mistake: str, sentence: str, tmp_path: Path) -> None:
    with initialize_config_dir(str(CONF), version_base=None), pytest.raises(UserError, match=sentence):
        check(compose("train", [f"oracle={oracle}", f"paths.output_dir={tmp_path}", mistake]))
