import copy
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L  # noqa: N812
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from mimicbench.captured_step import CudaGraph, Recording
from mimicbench.curves import Curves
from mimicbench.hardware import Hardware
from mimicbench.learner import Learner
from mimicbench.mentors import NetworkMentor
from mimicbench.oracles.label import Label
from mimicbench.recipe import Recipe
from mimicbench.stopwatch import Stopwatch
from tests.standins import (
    ListedChunks,
    ReplayedWork,
    SpyMentor,
    make_composite,
    make_pool,
    make_recipe,
    make_trainer,
    no_evaluation,
)

SAMPLES = 300  # a multiple of neither chunk nor batch
BATCH = 32
STEPS = -(-SAMPLES // BATCH)


def samples() -> tuple[Tensor, Tensor]:
    own = torch.Generator().manual_seed(0)  # dropout draws from the global one
    return torch.rand(SAMPLES, 3, 8, 8, generator=own), torch.randn(SAMPLES, 5, generator=own).softmax(1)


def small_network(dropout: float = 0.0) -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(128, 16),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        nn.Linear(16, 5),
    )


def fast_recipe(**changes: Any) -> Recipe:
    return make_recipe(**{"batch_size": BATCH, "learning_rate": 0.1, "weight_decay": 1e-3, **changes})


def learnt(
    network: nn.Module,
    recipe: Recipe,
    epochs: int,
    chunk_size: int = 96,
    recorder: Callable[[], Recording] | None = None,
    **trainer: Any,
) -> tuple[Learner, L.Trainer]:
    learner = Learner(network, recipe, epochs * STEPS, 5, recorder)
    torch.manual_seed(2)
    fitting = make_trainer(epochs, **trainer)
    fitting.fit(learner, ListedChunks(*samples(), chunk_size))
    return learner, fitting


def batches() -> Iterator[tuple[Tensor, Tensor]]:
    return zip(*(part.split(BATCH) for part in samples()), strict=True)


def plainly(network: nn.Module, recipe: Recipe, epochs: int, autocast: bool = False) -> list[list[float]]:
    """A plain SGD loop; the losses of each epoch's steps."""
    network.train()
    optimizer = torch.optim.SGD(
        network.parameters(), recipe.learning_rate, recipe.momentum, weight_decay=recipe.weight_decay, fused=True
    )
    if recipe.schedule == "one_cycle":
        scheduler: Any = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, recipe.learning_rate, epochs * STEPS, pct_start=recipe.warmup, cycle_momentum=False
        )
    else:
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.9 ** (epoch // 10))
    torch.manual_seed(2)
    losses = []
    for _ in range(epochs):
        losses.append([])
        for images, targets in batches():
            with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                logits = network(images)
            loss = F.cross_entropy(logits.float(), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses[-1].append(loss.item())
            if recipe.schedule == "one_cycle":
                scheduler.step()
        if recipe.schedule == "step":
            scheduler.step()
    return losses


def assert_same_weights(first: nn.Module, second: nn.Module) -> None:
    for (name, one), other in zip(first.state_dict().items(), second.state_dict().values(), strict=True):
        assert torch.equal(one, other), name


@pytest.mark.parametrize("schedule", ["step", "one_cycle"])
@pytest.mark.parametrize("chunk_size", [BATCH, 96, 320])
def test_the_trajectory_is_that_of_plain_sgd(schedule: str, chunk_size: int) -> None:
    recipe, network = fast_recipe(schedule=schedule, dropout=0.3), small_network(0.3)
    plain = copy.deepcopy(network)
    learner, _ = learnt(network, recipe, 12, chunk_size)
    plainly(plain, recipe, 12)
    assert_same_weights(learner.network, plain)
    assert not torch.equal(plain[0].weight, small_network()[0].weight)


@pytest.mark.parametrize("momentum", [0.0, 0.875])
@pytest.mark.parametrize("chunk_size", [BATCH, 96, 320])
def test_recorded_steps_take_the_same_trajectory(chunk_size: int, momentum: float) -> None:
    recipe, network = fast_recipe(learning_rate=0.125, momentum=momentum, dropout=0.3), small_network(0.3)
    plain, recording = copy.deepcopy(network), ReplayedWork()
    epochs = 20  # 200 steps
    learner, trainer = learnt(network, recipe, epochs, chunk_size, lambda: recording)
    fitted, _ = learnt(plain, recipe, epochs, chunk_size)
    for (name, one), other in zip(network.state_dict().items(), plain.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other, msg=name)  # a rate in a tensor is a float32
    assert recording.replayed == epochs * (STEPS - 1)  # each epoch's last batch is smaller, and taken as it is
    assert trainer.global_step == epochs * STEPS
    assert learner.samples == fitted.samples == epochs * SAMPLES


def test_recorded_steps_equal_eager_ones_to_the_last_bit_where_the_rate_does() -> None:
    recipe, network = fast_recipe(learning_rate=0.125), small_network()
    plain = copy.deepcopy(network)
    learnt(network, recipe, 9, recorder=ReplayedWork)
    learnt(plain, recipe, 9)
    assert_same_weights(network, plain)


def test_recorded_steps_follow_a_schedule_that_changes_with_every_step() -> None:
    recipe, network = fast_recipe(schedule="one_cycle"), small_network()
    plain = copy.deepcopy(network)
    rate = Watch(lambda trainer: trainer.optimizers[0].param_groups[0]["lr"])
    learnt(network, recipe, 3, recorder=ReplayedWork, callbacks=[rate])
    assert len({seen.data_ptr() for seen in rate.seen[1:]}) == 1  # a graph reads the rate where it was recorded
    plainly(plain, recipe, 3)
    for (name, one), other in zip(network.state_dict().items(), plain.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other, msg=name, atol=1e-5, rtol=1e-4)


def test_a_recorded_run_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    recipe, whole, halves = fast_recipe(learning_rate=0.125), small_network(), small_network()
    learnt(whole, recipe, 4, recorder=ReplayedWork)
    _, trainer = learnt(halves, recipe, 2, recorder=ReplayedWork)
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    resumed = Learner(small_network(), recipe, 4 * STEPS, 5, ReplayedWork)
    fitting = make_trainer(4)
    fitting.fit(resumed, ListedChunks(*samples(), 96), ckpt_path=tmp_path / "half.ckpt")
    assert fitting.global_step == 4 * STEPS
    assert_same_weights(resumed.network, whole)


def test_bf16_mixed_is_plain_autocast_of_each_step() -> None:
    recipe, network = fast_recipe(), small_network()
    plain, float32 = copy.deepcopy(network), copy.deepcopy(network)
    learner, _ = learnt(network, recipe, 2, precision="bf16-mixed")
    plainly(plain, recipe, 2, autocast=True)
    assert_same_weights(learner.network, plain)
    plainly(float32, recipe, 2)
    assert not torch.equal(float32[0].weight, plain[0].weight)
    assert learner.network[0].weight.dtype == torch.float32


@pytest.mark.parametrize("chunk_size", [BATCH, 96, 320])
def test_counts_sgd_steps_and_samples(chunk_size: int) -> None:
    learner, trainer = learnt(small_network(), fast_recipe(), 2, chunk_size)
    assert trainer.global_step == learner.global_step == 2 * STEPS == 20
    assert learner.samples == 2 * SAMPLES


class Watch(L.Callback):
    def __init__(self, look: Callable[[L.Trainer], Any]) -> None:
        self.look = look
        self.seen: list[Any] = []

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.seen.append(self.look(trainer))


def test_the_learning_rate_falls_by_a_tenth_every_ten_epochs() -> None:
    watch = Watch(lambda trainer: trainer.optimizers[0].param_groups[0]["lr"])
    learner = Learner(nn.Sequential(nn.Flatten(), nn.Linear(3, 5)), make_recipe(batch_size=2), 100, 5)
    fitting = make_trainer(100, callbacks=[watch])
    fitting.fit(learner, ListedChunks(torch.rand(4, 3, 1, 1), torch.eye(5)[:4], 2))
    expected = [0.001 * 0.9 ** (epoch // 10) for epoch in range(100)]
    assert watch.seen == pytest.approx(expected)
    assert [watch.seen[epoch] for epoch in (0, 9, 10, 99)] == pytest.approx([1e-3, 1e-3, 9e-4, 3.87420489e-4])


def test_one_cycle_ends_with_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []
    original = torch.optim.SGD.step

    def step(self: torch.optim.SGD, *given: Any, **named: Any) -> Any:
        rates.append(self.param_groups[0]["lr"])
        return original(self, *given, **named)

    monkeypatch.setattr(torch.optim.SGD, "step", step)
    learnt(small_network(), fast_recipe(schedule="one_cycle"), 3)
    assert len(rates) == 3 * STEPS
    assert max(rates) == pytest.approx(0.1) == rates[8]  # 30 % of 30 steps, from 0
    assert rates[0] == pytest.approx(0.1 / 25)
    assert rates[-1] == pytest.approx(0.1 / 25 / 10_000)
    assert rates[-2] > 10 * rates[-1]


class Losses(L.Callback):
    def __init__(self) -> None:
        self.seen: list[float] = []

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.seen.append(pl_module.mean_loss)  # type: ignore[arg-type]


def test_the_loss_of_an_epoch_is_the_mean_over_the_epochs_samples() -> None:
    recipe, network = fast_recipe(), small_network()
    losses = plainly(copy.deepcopy(network), recipe, 2)
    seen = Losses()
    learnt(network, recipe, 2, callbacks=[seen])
    sizes = [len(images) for images, _ in batches()]
    expected = sum(loss * size for loss, size in zip(losses[-1], sizes, strict=True)) / SAMPLES
    assert seen.seen[-1] == pytest.approx(expected, rel=1e-5)


def test_logged_metrics_lie_at_the_sgd_step(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    logger = L.pytorch.loggers.CSVLogger(tmp_path, name="", version="")
    curves = Curves(Label(SpyMentor(), budget=None), Stopwatch())
    learnt(small_network(), fast_recipe(), 3, logger=logger, callbacks=[curves])
    lines = (tmp_path / "metrics.csv").read_text().splitlines()
    column = lines[0].split(",").index("step")
    assert [int(line.split(",")[column]) for line in lines[1:]] == [STEPS, 2 * STEPS, 3 * STEPS]


def test_soft_targets_are_learnt_as_distributions() -> None:
    target = torch.tensor([0.5, 0.3, 0.2, 0.0, 0.0])
    network = nn.Sequential(nn.Flatten(), nn.Linear(3, 5))
    learner = Learner(network, make_recipe(batch_size=8, learning_rate=0.5), 200, 5)
    make_trainer(200).fit(learner, ListedChunks(torch.ones(8, 3, 1, 1), target.expand(8, 5), 8))
    torch.testing.assert_close(network(torch.ones(1, 3, 1, 1)).softmax(1)[0], target, atol=0.02, rtol=0)


def test_a_second_fit_records_anew() -> None:
    recipe, network = fast_recipe(learning_rate=0.125), small_network()
    plain = copy.deepcopy(network)
    learner = Learner(network, recipe, STEPS, 5, ReplayedWork)
    other = Learner(plain, recipe, STEPS, 5)
    for _ in range(2):
        for each in (learner, other):
            make_trainer().fit(each, ListedChunks(*samples(), 96))
    assert_same_weights(network, plain)


on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")


@on_gpu
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_graph_takes_the_trajectory_of_eager_steps(precision: str) -> None:
    device = torch.device("cuda", 0)
    images, targets = (part.to(device) for part in samples())
    losses = []
    for recorder in (None, partial(CudaGraph, device)):
        torch.manual_seed(3)
        recipe = fast_recipe(schedule="one_cycle", dropout=0.3)
        learner = Learner(small_network(0.3), recipe, 20 * STEPS, 5, recorder)
        watch = Losses()
        trainer = make_trainer(20, accelerator="gpu", precision=precision, callbacks=[watch])
        trainer.fit(learner, ListedChunks(images, targets, 96))
        losses.append(watch.seen)
    assert losses[0] == pytest.approx(losses[1], rel=0.02)


@on_gpu
def test_making_and_learning_a_chunk_does_not_wait_for_the_gpu(tmp_path: Path) -> None:
    device = torch.device("cuda", 0)
    recipe = fast_recipe(schedule="one_cycle")
    attack = make_composite(make_pool(200, 8), epochs=3, samples_per_epoch=300, chunk_size=96, recipe=recipe)
    mentor = NetworkMentor(small_network(), tuple("abcde"), Hardware(device, "32-true"))
    attack.attach(Label(mentor, budget=None), no_evaluation(), device, tmp_path)
    learner = Learner(small_network(), recipe, 3 * STEPS, 5, partial(CudaGraph, device))

    class Strict(L.Callback):
        chunks = 0

        def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
            self.chunks += 1
            inside = trainer.current_epoch > 0 and self.chunks % 4
            torch.cuda.set_sync_debug_mode("error" if inside else "default")

    strict = Strict()
    try:
        make_trainer(3, accelerator="gpu", callbacks=[strict], limit_val_batches=0).fit(learner, datamodule=attack)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert strict.chunks == 12
