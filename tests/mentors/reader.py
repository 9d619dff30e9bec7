"""A small model behind a server of ours, and the mentor that asks it; ``conftest.py`` says where replies are kept."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from mimicbench.errors import UserError
from mimicbench.mentors.http import HttpMentor
from mimicbench.paths import Paths
from mimicbench.schema import build
from tests.mentors.inference_server import Witness
from tests.standins import FLOAT32, make_task

CONF = Path(__file__).resolve().parents[2] / "conf"
TASK = make_task(classes=5)
PATHS: list[Paths] = []
WEIGHT = np.random.default_rng(0).normal(0, 0.1, (3072, 5)).astype(np.float32)
IMAGES = torch.rand(100, 3, 32, 32, generator=torch.manual_seed(1))
METADATA = {
    "name": "reader",
    "inputs": [{"name": "images", "datatype": "FP32", "shape": [-1, 3, 32, 32]}],
    "outputs": [
        {"name": "logits", "datatype": "FP32", "shape": [-1, 5]},
        {"name": "label", "datatype": "INT64", "shape": [-1]},
    ],
}
EXPECTED = torch.from_numpy(IMAGES.flatten(1).numpy() @ WEIGHT).softmax(1)


def read(images: np.ndarray) -> dict[str, np.ndarray]:
    logits = images.reshape(len(images), -1) @ WEIGHT
    return {"logits": logits, "label": logits.argmax(1)}


def made(
    url: str,
    *,
    io: dict[str, Any] | None = None,
    model: str = "reader",
    version: str | None = None,
    revision: int | None = None,
    **wire: Any,
) -> HttpMentor:
    """As the YAML file makes it, with some settings."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        node = compose("mentor/http")["mentor"]
    node.url, node.model, node.version, node.revision = url, model, version, revision
    node.io.update({"output": "logits", "range": 1, "says": "logits"} if io is None else io)
    node.wire.update({"backoff": 0.01, "batch_size": 8, **wire})
    mentor: HttpMentor = build("mentor", OmegaConf.to_container(node), TASK, PATHS[-1], FLOAT32)
    return mentor


def refused(*given: Any, **named: Any) -> str:
    with pytest.raises(UserError) as error:
        made(*given, **named)(IMAGES)
    return str(error.value)


def once_each(witness: Witness) -> bool:
    images = {image.numpy().tobytes() for image in IMAGES}
    return Counter(witness.answered) == Counter(dict.fromkeys(images, 1))
