"""Sweeps as they lie on the disk, without the training."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import OmegaConf

from mimicbench.examples import Examples
from mimicbench.results import Queries
from tests.test_predictions import make_predictions
from tests.test_results import make_result

ACCURACIES = {0: (0.5, 0.7, 0.8), 1: (0.4, 0.8, 0.7)}  # by seed, after each epoch
STEPS, QUERIES = 4, 500  # an epoch


def make_examples(count: int = 24, classes: int = 5, parts: int = 2) -> Examples:
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.ones(parts), count).astype(np.float32)
    images = rng.integers(0, 256, (count, 1 + parts, 8, 8, 3), dtype=np.uint8)
    answers = rng.dirichlet(np.ones(classes), (count, 1 + parts)).astype(np.float32)
    names = tuple(f"class {one}" for one in range(classes))
    return Examples(names, images[:, 0], images[:, 1:], weights, answers[:, 0], answers[:, 1:])


def begin(folder: Path, overrides: list[str]) -> Path:
    """What Hydra leaves of a job that has begun."""
    (folder / ".hydra").mkdir(parents=True)
    OmegaConf.save(OmegaConf.create(overrides), folder / ".hydra" / "overrides.yaml")
    return folder


def make_job(folder: Path, attack: str = "composite", oracle: str = "label", seed: int = 0, **changes: Any) -> Path:
    """A finished job with all that it leaves, but for its checkpoint."""
    begin(folder, [f"attack={attack}", f"oracle={oracle}", f"seed={seed}"])
    curve = ACCURACIES[seed]
    asked = QUERIES * (len(curve) if attack == "composite" else 1)
    own = {"epochs": len(curve), "sgd_steps": STEPS * len(curve), "queries": Queries(asked, asked, None, 0)}
    make_result(attack=attack, oracle=oracle, seed=seed, student_accuracy=curve[-1], **(own | changes)).save(folder)
    with (folder / "metrics.csv").open("w", newline="") as file:
        rows = csv.DictWriter(file, ["epoch", "queries", "step", "test/accuracy", "test/fidelity", "train/loss"])
        rows.writeheader()
        for epoch, accuracy in enumerate(curve):
            step = STEPS * (epoch + 1)
            rows.writerow({"step": step, "epoch": epoch, "train/loss": 1.0})
            queries = QUERIES * (epoch + 1 if attack == "composite" else 1)
            found = {"test/accuracy": accuracy, "test/fidelity": accuracy + 0.05}
            rows.writerow({"step": step, "epoch": epoch, "queries": queries, **found})
    make_predictions(seed=seed).save(folder)
    make_examples(parts=2 if attack == "composite" else 1).save(folder)
    return folder


def make_sweep(folder: Path) -> Path:
    """Standard and composite mimicking of a mentor that says labels, two seeds each."""
    for number, (attack, seed) in enumerate((attack, seed) for attack in ("standard", "composite") for seed in (0, 1)):
        make_job(folder / f"{number}-{attack}-label-seed{seed}", attack, seed=seed)
    return folder
