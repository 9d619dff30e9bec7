"""What Weights & Biases shows of a finished job besides its curves."""

from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch.loggers import Logger

from mimicbench.checkpoints import CHECKPOINT
from mimicbench.examples import Examples
from mimicbench.loggers import WandbRun
from mimicbench.predictions import Predictions
from mimicbench.results import Result, flat

_ENLARGED = 64  # pixels: what is smaller can hardly be seen


def log(
    loggers: list[Logger], result: Result, predictions: Predictions, examples: Examples | None, folder: Path
) -> None:
    """Give each run of Weights & Biases its summary, tables and, if its logger says so, the student.

    The summary holds the values of ``result.json`` under their names there, ``queries.total`` for nested ones.
    ``examples`` is a table of training images with what they are made of and what the mentor says (Figures 1 and 2);
    ``confusion`` counts in which class the student puts what the mentor puts in another, of at most 100 classes.

    Args:
        loggers: Of the job; others than Weights & Biases are passed over.
        result: Of the job.
        predictions: Of the job.
        examples: Of the job, if its attack has any.
        folder: Where the job's checkpoint is.
    """
    for logger in loggers:
        if not isinstance(logger, WandbRun):
            continue
        import wandb  # here, for its import is slow and most runs do without

        run = logger.experiment
        run.summary.update(flat(result))
        shown: dict[str, Any] = {}
        if len(predictions.classes) ** 2 <= wandb.Table.MAX_ROWS:  # of more, W&B would keep the first classes alone
            shown["confusion"] = _confusion(predictions)
        if examples is not None:
            shown["examples"] = _table(examples)
        run.log(shown)
        if logger.logs_checkpoint:
            artifact = wandb.Artifact(f"student-{run.id}", "model", metadata=flat(result))
            artifact.add_file(str(folder / CHECKPOINT), "student.ckpt")
            run.log_artifact(artifact)


def _confusion(predictions: Predictions) -> Any:
    import wandb

    return wandb.plot.confusion_matrix(
        y_true=predictions.mentor_labels.tolist(),
        preds=predictions.student_labels.tolist(),
        class_names=list(predictions.classes),
        title="Student (predicted) against mentor (actual)",
    )


def _table(examples: Examples) -> Any:
    import wandb

    parts = range(examples.sources.shape[1])
    columns = ["image", *(f"source {part + 1}" for part in parts), *(f"share {part + 1}" for part in parts)]
    table = wandb.Table([*columns, "mentor's label", "mentor's probability", "probability that blending predicts"])
    for image, sources, weights, said, blended in zip(
        examples.images, examples.sources, examples.weights, examples.mentor, examples.blended, strict=True
    ):
        label = int(said.argmax())
        pictures = [wandb.Image(_enlarged(picture)) for picture in (image, *sources)]
        told = (examples.classes[label], float(said[label]), float(blended[label]))
        table.add_data(*pictures, *map(float, weights), *told)
    return table


def _enlarged(image: np.ndarray) -> np.ndarray:
    factor = max(1, _ENLARGED // image.shape[0])
    return image.repeat(factor, axis=0).repeat(factor, axis=1)
