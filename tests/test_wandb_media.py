import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import PIL.Image
import pytest
import torch

from mimicbench import wandb_media
from mimicbench.examples import Examples
from mimicbench.loggers import closed, weights_and_biases
from mimicbench.predictions import Predictions
from mimicbench.results import Result, flat
from tests.standins import SpyMentor, attached, make_composite, make_pool
from tests.test_predictions import make_predictions
from tests.test_results import make_result
from tests.test_run import started
from tests.wandb_file import OfflineRun

pytestmark = pytest.mark.usefixtures("without_account")


def logged(
    folder: Path,
    result: Result,
    examples: Examples | None,
    predictions: Predictions | None = None,
    checkpoint: bool = False,
) -> OfflineRun:
    torch.save({}, folder / "last.ckpt")
    names: dict[str, Any] = {"project": "test", "entity": None, "group": "a/sweep", "name": "one", "tags": ["a"]}
    logger = weights_and_biases(**names, varied=True, save_dir=folder, mode="offline", checkpoint=checkpoint)
    with closed([logger]):
        logger.log_hyperparams({"seed": 3, "attack": {"images": 2}})
        logger.log_metrics({"test/accuracy": 0.5}, step=3)
        wandb_media.log([logger], result, predictions or make_predictions(), examples, folder)
    return OfflineRun(folder)


def table(run: OfflineRun, key: str) -> dict[str, Any]:
    assert any(f"{key}.path" in row for row in run.history)
    content: dict[str, Any] = json.loads(run.files[f"{key}.table.json"].read_text())
    return content


def test_the_summary_is_the_result_and_the_run_is_closed_as_it_ended(tmp_path: Path) -> None:
    result = make_result()
    run = logged(tmp_path, result, None)
    assert {key: run.summary[key] for key in flat(result)} == flat(result)
    assert run.config["attack"] == {"images": 2}
    assert any(row.get("test/accuracy") == 0.5 for row in run.history)
    assert (run.exit_code, run.group, run.name, run.models) == (0, "sweep", "one", [])


def test_the_confusion_matrix_counts_what_the_student_says_where_the_mentor_says_something_else(tmp_path: Path) -> None:
    run = logged(tmp_path, make_result(), None)
    content = table(run, "confusion_table")
    names = {name: content["columns"].index(name) for name in ("Actual", "Predicted", "nPredictions")}
    predictions = make_predictions()
    found = np.zeros((5, 5), dtype=int)
    for row in content["data"]:
        place = [predictions.classes.index(row[names[name]]) for name in ("Actual", "Predicted")]
        found[tuple(place)] = row[names["nPredictions"]]
    np.testing.assert_array_equal(found, predictions.confusion())


def test_the_confusion_of_very_many_classes_is_left_out(tmp_path: Path) -> None:
    run = logged(tmp_path, make_result(), None, make_predictions(classes=101))
    assert not run.files


def test_examples_are_a_table_of_images_with_what_they_are_made_of(tmp_path: Path) -> None:
    attack = attached(make_composite(make_pool(30), samples_per_epoch=40), tmp_path / "replies.npy")
    examples = Examples.of(attack, SpyMentor())
    assert examples is not None
    run = logged(tmp_path, make_result(), examples)
    content = table(run, "examples")
    assert content["columns"][:5] == ["image", "source 1", "source 2", "share 1", "share 2"]
    assert len(content["data"]) == 24
    columns = (examples.images, examples.sources, examples.weights, examples.mentor)
    for row, blend, sources, weights, said in zip(content["data"], *columns, strict=True):
        assert row[3:5] == pytest.approx(weights.tolist())
        assert row[5:7] == [examples.classes[int(said.argmax())], pytest.approx(float(said.max()))]
        for cell, image in zip(row[:3], (blend, *sources), strict=True):
            shown = np.asarray(PIL.Image.open(run.files[cell["path"]]))
            np.testing.assert_array_equal(shown[:: len(shown) // len(image), :: len(shown) // len(image)], image)


def test_the_checkpoint_is_an_artifact_when_asked_for(tmp_path: Path) -> None:
    run = logged(tmp_path, make_result(), None, checkpoint=True)
    (name,) = run.models
    assert name.startswith("student-")


def test_other_loggers_are_passed_over(tmp_path: Path) -> None:
    wandb_media.log([], make_result(), make_predictions(), None, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_whole_job_is_read_back_from_its_offline_run(cache: Path, tmp_path: Path) -> None:
    folder = tmp_path / "job"
    result = started(cache, folder, "logger=wandb", "logger.wandb.group=a/sweep", "logger.wandb.varied=false")
    run = OfflineRun(folder)
    assert {key: run.summary[key] for key in flat(result)} == flat(result)
    assert run.config["attack"]["images"] == 2  # resolved, and plain
    assert run.config["paths"]["output_dir"] == str(folder)
    rows = pd.read_csv(folder / "metrics.csv")
    for name in ("test/accuracy", "test/fidelity", "train/loss", "train/learning_rate", "queries"):
        curve = [row[name] for row in run.history if name in row]
        assert curve == pytest.approx(rows[name].dropna().tolist())
        assert len(curve) == 2
    assert {"examples.table.json", "confusion_table.table.json"} <= set(run.files)
    assert (run.exit_code, run.group) == (0, "sweep")
