"""Every file under ``conf/`` composes, passes the check, and builds what it names."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from mimicbench.attacks import Attack
from mimicbench.mentors import Mentor
from mimicbench.pools import Pool
from mimicbench.recipe import Recipe
from mimicbench.schema import Config, build, check
from mimicbench.tasks import Task
from tests.making import encoded, pictures, write_image, write_parquet
from tests.standins import FLOAT32, make_task

CONF = Path(__file__).parents[1] / "conf"
NOT_TRAINED = {  # mentors that are there, and what they cannot do without
    **{name: ["mentor.path=model"] for name in ("onnx", "torch_export", "torchscript")},
    "http": ["mentor.url=http://localhost", "mentor.model=model"],
}
CHOICES = sorted((file.parent.name, file.stem) for file in CONF.glob("*/*.yaml"))


@pytest.fixture(autouse=True)
def no_job_of_hydra() -> Iterator[None]:
    """For the tests that follow, there is none."""
    yield
    HydraConfig.instance().cfg = None


def composed(*overrides: str) -> Config:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", overrides=["paths.output_dir=out", *overrides], return_hydra_config=True)
    HydraConfig.instance().set_config(cfg)
    return check(OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"]))


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_every_file_composes_and_passes_the_check(group: str, choice: str) -> None:
    needed = NOT_TRAINED["onnx"] if choice == "audit" else NOT_TRAINED.get(choice, [])
    config = composed(f"{group}={choice}", *needed, *(["experiment=audit"] if choice in NOT_TRAINED else []))
    if group in ("task", "pool", "mentor", "oracle", "attack", "student"):
        assert getattr(config, group)["name"] == choice


@pytest.mark.parametrize("choice", [choice for group, choice in CHOICES if group == "attack"])
@pytest.mark.parametrize("experiment", [choice for group, choice in CHOICES if group == "experiment"])
def test_every_attack_is_built_in_every_experiment(experiment: str, choice: str) -> None:
    needed = NOT_TRAINED["onnx"] if experiment == "audit" else []
    config = composed(f"experiment={experiment}", f"attack={choice}", *needed)
    pool = Pool(pictures(config.attack["chunk_size"], 4, 0), "pool")
    attack = build("attack", config.attack, pool, config.seed, config.trainer.max_epochs, config.oracle["budget"])
    assert isinstance(attack, Attack)
    assert attack.steps > 0


@pytest.mark.parametrize("choice", [choice for group, choice in CHOICES if group == "student"])
def test_every_network_is_built_for_mentor_and_student(choice: str) -> None:
    config = composed(f"student={choice}", f"mentor={choice}", "experiment=embedded")
    for node in (config.student, config.mentor["network"]):
        network = build("student", node, 7, 48, 0.1)
        assert network(torch.zeros(2, 3, 48, 48)).shape == (2, 7)


@pytest.mark.parametrize("mentor", NOT_TRAINED)
@pytest.mark.parametrize("choice", [choice for group, choice in CHOICES if group == "oracle"])
def test_every_oracle_protects_mentors_that_were_trained_elsewhere(mentor: str, choice: str) -> None:
    overrides = ["experiment=audit", f"mentor={mentor}", *NOT_TRAINED[mentor], "student=vgg16", "student.width=0.1"]
    oracle = composed(*overrides, f"oracle={choice}").oracle
    for node in (oracle.get("proxy"), oracle.get("training", {}).get("network")):
        if node is not None:
            network = build("oracle.network", node, 7, 32, 0.0)
            assert sum(weights.numel() for weights in network.parameters()) < 0.02 * 15e6, "not like the student"


@pytest.mark.parametrize("group", ["logger", "callbacks"])
def test_loggers_and_callbacks_are_built(group: str, tmp_path: Path) -> None:
    for choice in [choice for known, choice in CHOICES if known == group]:
        config = composed(f"{group}={choice}", f"paths.output_dir={tmp_path}")
        built = [build(f"{group}.{key}", node) for key, node in getattr(config, group).items()]
        assert built


def test_the_trainer_is_built() -> None:
    assert build("trainer", composed().trainer.lightning() | {"precision": "32-true"}).max_epochs == 8


@pytest.mark.parametrize(
    ("attack", "dropout", "weight_decay", "augmented", "samples"),
    [("composite", 0.0, 0.0, False, 1_000_000), ("standard", 0.2, 0.0005, True, None)],
)
def test_the_paper_is_tables_1_to_3(
    attack: str, dropout: float, weight_decay: float, augmented: bool, samples: int | None
) -> None:
    config = composed("experiment=paper", f"attack={attack}")
    recipe = Recipe(**config.attack["recipe"])
    assert (recipe.batch_size, recipe.learning_rate, recipe.momentum) == (128, 0.001, 0.9)
    assert (recipe.dropout, recipe.weight_decay, recipe.schedule) == (dropout, weight_decay, "step")
    assert (config.attack["augment"] is not None) == augmented
    assert config.attack["samples_per_epoch"] == samples
    assert config.trainer.max_epochs == 100
    assert [config.task["name"], config.pool["name"]] == ["cifar10", "imagenet32"]
    for node in (config.student, config.mentor["network"]):
        assert (node["width"], node["batch_norm"]) == (1.0, False)
    assert composed("experiment=paper").oracle["name"] == "label"


def test_the_command_line_overrules_an_experiment() -> None:
    config = composed("experiment=cifar10_small", "task=digits", "student=vgg16", "attack.recipe.dropout=0.1")
    assert (config.task["name"], config.student["name"], config.attack["recipe"]["dropout"]) == ("digits", "vgg16", 0.1)


def test_the_small_experiment_gives_every_attack_the_same_steps_and_schedule() -> None:
    plans = []
    for attack in ("standard", "composite", "composite_once"):
        config = composed("experiment=cifar10_small", f"attack={attack}")
        pool = Pool(np.zeros((110_000, 1, 1, 3), dtype=np.uint8), "pool")
        built = build("attack", config.attack, pool, 0, config.trainer.max_epochs, None)
        plans.append((built.steps, built.recipe))
        assert sum(map(built.samples, range(built.epochs))) >= 1_000_000
    assert plans[0] == plans[1] == plans[2]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A little of each data set that a file in conf names."""
    folder = tmp_path_factory.mktemp("data")
    few = [encoded(image) for image in pictures(10)]
    for split in ("train", "test"):
        write_parquet(folder / "cifar10" / "data" / f"{split}-00000-of-00001.parquet", few, list(range(10)), "img")
        for number, label in enumerate("ab"):
            write_image(folder / "images" / split / label / "1.png", pictures(1, 40, number)[0])
    write_parquet(folder / "imagenet32" / "data" / "train-00000-of-00001.parquet", few)
    write_image(folder / "unlabelled" / "1.png", pictures(1, 40)[0])
    return folder


@pytest.mark.parametrize("choice", [choice for group, choice in CHOICES if group == "task"])
def test_every_task_is_built(choice: str, data: Path, cache: Path) -> None:
    config = composed(f"task={choice}", f"paths.data_dir={data}", f"paths.cache_dir={cache}")
    task = build("task", config.task, config.paths)
    assert isinstance(task, Task)
    assert task.train.images.shape[1:] == task.test.images.shape[1:] == (task.size, task.size, 3)
    assert set(task.test.labels) == set(range(len(task.classes)))


@pytest.mark.parametrize("choice", [choice for group, choice in CHOICES if group == "pool"])
def test_every_pool_is_built(choice: str, data: Path, cache: Path) -> None:
    config = composed(f"pool={choice}", f"paths.data_dir={data}", f"paths.cache_dir={cache}")
    node = config.pool | ({"crops": 10} if "crops" in config.pool else {})
    pool = build("pool", node, config.paths, 32)
    assert isinstance(pool, Pool)
    assert pool.images.shape[1:] == (32, 32, 3)
    assert len(pool) > 0


@pytest.mark.parametrize(
    "choice", sorted({choice for group, choice in CHOICES if group == "mentor"} - NOT_TRAINED.keys())
)
def test_every_mentor_that_is_trained_is_built(choice: str, tmp_path: Path) -> None:
    config = composed(f"mentor={choice}", f"paths.cache_dir={tmp_path}", "mentor.network.width=0.05")
    recipe = config.mentor["recipe"] | {"batch_size": 8}
    mentor = build("mentor", config.mentor | {"max_epochs": 1, "recipe": recipe}, make_task(), config.paths, FLOAT32)
    assert isinstance(mentor, Mentor)
    torch.testing.assert_close(mentor(torch.rand(2, 3, 32, 32)).sum(1), torch.ones(2))
