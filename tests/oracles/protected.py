"""Every oracle that conf/oracle names, on a small task of ten classes, with networks that are trained in a second."""

from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from torch import Tensor, nn

from mimicbench.hardware import Hardware
from mimicbench.mentors import Mentor, NetworkMentor
from mimicbench.oracles import Oracle
from mimicbench.oracles.owner import Owner
from mimicbench.schema import build, check
from tests.making import make_paths
from tests.standins import FLOAT32, SpyMentor, make_task

CONF = Path(__file__).resolve().parents[2] / "conf"
NAMES = sorted(path.stem for path in (CONF / "oracle").glob("*.yaml"))
CLASSES = 10
SMALL = (
    "experiment=embedded_vgg16",
    "mentor.network.width=0.05",
    "mentor.max_epochs=1",
    "mentor.augment=null",
    "mentor.recipe.batch_size=8",
)


def make_oracle(
    name: str,
    folder: Path,
    *overrides: str,
    mentor: Mentor | None = None,
    hardware: Hardware = FLOAT32,
    classes: int = CLASSES,
) -> Oracle:
    """An oracle as configured, its networks small."""
    paths = make_paths(folder)
    sizes = ("++pool.crops=64", *(("oracle.auxiliary.crops=64",) if name == "edm" else ()))
    folders = [f"paths.{key}={getattr(paths, key)}" for key in ("data_dir", "cache_dir", "output_dir")]
    with initialize_config_dir(str(CONF), version_base=None):
        config = check(compose("train", [f"oracle={name}", *SMALL, *sizes, *folders, *overrides]))
    task = make_task(per_class=4, classes=classes)
    oracle: Oracle = build("oracle", config.oracle, mentor or spy(classes), Owner(task, config.paths, hardware))
    return oracle


def spy(classes: int = CLASSES) -> SpyMentor:
    return SpyMentor(32 * 32 * 3, classes)


def real_mentor(hardware: Hardware) -> Mentor:
    """A network, in the arithmetic of ``hardware``, whose answers differ from image to image."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(32 * 32 * 3, CLASSES))
    nn.init.normal_(network[1].weight, std=0.1, generator=torch.Generator().manual_seed(0))
    network[1].bias.data = -network[1].weight.data.sum(1) / 2  # as if pixels were from -0.5 to 0.5
    return NetworkMentor(network, tuple("abcdefghij"), hardware)


def some_images(count: int, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(seed))


def some_answers(count: int, seed: int = 0, classes: int = CLASSES) -> Tensor:
    """Answers of all kinds: sure and unsure ones, one-hot and uniform ones, many ties, extreme logits."""
    random = torch.Generator().manual_seed(seed)

    def logits(scale: float) -> Tensor:
        return torch.randn(share, classes, generator=random) * scale

    share = -(-count // 9)
    kinds = [
        logits(0.01).softmax(1),
        logits(1.0).softmax(1),
        logits(3.0).softmax(1),
        logits(10.0).bfloat16().float().softmax(1),  # coarse logits: ties
        logits(1000.0).softmax(1),  # one-hot, and zeros
        _normalised(torch.randint(0, 4, (share, classes), generator=random).float() + 1e-3),  # ties at the top
        _normalised(torch.randint(0, 2, (share, classes), generator=random).float() + 1e-30),  # ties again
        torch.full((share, classes), 1 / classes),
        _nearly_tied(logits(2.0).softmax(1)),
    ]
    mixed = torch.cat(kinds)
    return mixed[torch.randperm(len(mixed), generator=random)][:count]


def _nearly_tied(answers: Tensor) -> Tensor:
    """The runner-up one rounding step below the largest."""
    values, order = answers.topk(2)
    shared = values.mean(1, keepdim=True)
    return answers.scatter(1, order, torch.cat([shared, torch.nextafter(shared, torch.zeros(()))], 1))


def _normalised(values: Tensor) -> Tensor:
    return values / values.sum(1, keepdim=True)
