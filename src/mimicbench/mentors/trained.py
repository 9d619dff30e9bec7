"""A mentor that is trained here, once, and kept."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning as L  # noqa: N812 (Lightning's own convention)
from pydantic import PositiveFloat, PositiveInt
from torch import nn

from mimicbench.augmentation import Augmentation
from mimicbench.counter_rng import Seed
from mimicbench.fingerprint import content
from mimicbench.hardware import Hardware
from mimicbench.mentors.checkpoint import load_network
from mimicbench.mentors.course import Course
from mimicbench.mentors.network import NetworkMentor
from mimicbench.mentors.once import trained_once
from mimicbench.mentors.training import MentorTraining, TaskChunks
from mimicbench.paths import Paths
from mimicbench.recipe import Recipe
from mimicbench.schema import Component, build
from mimicbench.tasks import Task
from mimicbench.watermarks import TunedMark, Watermark


def trained(
    task: Task,
    paths: Paths,
    hardware: Hardware,
    watermark: Watermark | None = None,
    *,
    network: Component,
    seed: Seed,
    max_epochs: PositiveInt,
    samples_per_epoch: PositiveInt | None,
    recipe: Recipe,
    augment: Augmentation | None,
    checkpoint: Path | None,
    checkpoint_minutes: PositiveFloat,
) -> NetworkMentor:
    """A mentor for ``task``: from ``checkpoint``, else from the cache, else trained now and cached.

    The cached checkpoint's name is made from everything that shaped it. Jobs that start side by side train it once.

    Args:
        task: What it learns.
        paths: The cache is in ``cache_dir``.
        hardware: Where it is trained and runs.
        watermark: What it learns besides, to be known by; None for no mark.
        network: The network's own configuration, with ``_target_``.
        seed: Decides the initial weights, orders and augmentation.
        max_epochs: Passes over the task's training images.
        samples_per_epoch: Training images in a pass, a random part of them; None for all.
        recipe: How it is trained.
        augment: How its training images are changed, if at all.
        checkpoint: A Lightning checkpoint to use instead, of a module that holds such a network as ``network``.
        checkpoint_minutes: Between two checkpoints within an epoch, from which a killed training goes on.

    Raises:
        UserError: The checkpoint is missing, unsafe, or of another architecture; the cache cannot be written.
    """
    L.seed_everything(seed, workers=True, verbose=False)
    module = build("mentor.network", network, len(task.classes), task.size, recipe.dropout)
    if checkpoint is None:
        course = Course(network, seed, max_epochs, samples_per_epoch, recipe, augment, checkpoint_minutes)
        learn(module, course, task, paths, hardware, None if isinstance(watermark, TunedMark) else watermark)
        if isinstance(watermark, TunedMark):
            watermark.meet(module, hardware)
            course = replace(course, max_epochs=watermark.max_epochs, recipe=watermark.recipe)
            L.seed_everything(seed, workers=True, verbose=False)  # whether or not the first training was in the cache
            learn(module, course, task, paths, hardware, watermark, begun=content(module))
    else:
        load_network(module, checkpoint, "mentor.checkpoint")
    if watermark is not None:
        watermark.carried_by(module)
    return NetworkMentor(module, task.classes, hardware)


def learn(
    module: nn.Module,
    course: Course,
    task: Task,
    paths: Paths,
    hardware: Hardware,
    watermark: Watermark | None = None,
    *,
    what: str = "mentor",
    **also: Any,
) -> None:
    """One training of a network on the task and, if there is one, on a mark; or what an earlier one ended with.

    Args:
        module: As it begins; it learns in place.
        course: How it is trained.
        task: What it learns.
        paths: The cache is in ``cache_dir``.
        hardware: Where it is trained.
        watermark: What it learns besides.
        what: What it is called.
        also: Plain values that decide what it learns, such as what it begins with.

    Raises:
        UserError: The cache cannot be written, or what is kept there is damaged.
    """

    def training() -> tuple[MentorTraining, TaskChunks]:
        chunks = course.chunks(task, hardware.device, None if watermark is None else watermark.added)
        steps = course.steps(chunks.samples)
        learner = MentorTraining(hardware.fast(module), course.recipe, steps, len(task.classes), hardware.recorder)
        learner.penalty = None if watermark is None else watermark.penalty
        return learner, chunks

    for layer in module.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = course.recipe.dropout  # what it was built with is that of its first training
    if watermark is not None:
        also["watermark"] = watermark.fingerprint
    also["task"] = task.fingerprint
    trained_once(module, training, what=what, course=course, also=also, hardware=hardware, paths=paths)
