from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mimicbench.augmentation import Augmentation
from mimicbench.mentors.training import TaskChunks
from tests.standins import CPU, make_task


def chunks(epoch: int, augment: Augmentation | None = None, seed: int = 0) -> list[list[torch.Tensor]]:
    source = TaskChunks(make_task(30), CPU, seed, augment, 4)
    source.trainer = SimpleNamespace(current_epoch=epoch)  # type: ignore[assignment]
    made = list(source.train_dataloader())
    assert len(source.train_dataloader()) == len(made)
    assert all(count == len(images) for images, _, count in made)
    return [samples for *samples, _ in made]


def test_an_epoch_has_each_training_image_once_with_its_own_class() -> None:
    task = make_task(30)
    images, targets = map(torch.cat, zip(*chunks(0), strict=True))
    assert targets.sum(1).eq(1).all()
    seen = [(image.numpy().tobytes(), int(target.argmax())) for image, target in zip(images, targets, strict=True)]
    floats = task.train.images.transpose(0, 3, 1, 2).astype(np.float32) / 255
    wanted = [
        (np.ascontiguousarray(image).tobytes(), int(label))
        for image, label in zip(floats, task.train.labels, strict=True)
    ]
    assert sorted(seen) == sorted(wanted)


def test_a_short_epoch_is_the_beginning_of_a_whole_one() -> None:
    source = TaskChunks(make_task(30), CPU, 0, None, 4, samples=40)
    source.trainer = SimpleNamespace(current_epoch=2)  # type: ignore[assignment]
    made = list(source.train_dataloader())
    assert [len(images) for images, *_ in made] == [32, 8]
    assert len(source.train_dataloader()) == 2
    whole = torch.cat([images for images, *_ in chunks(2)])
    assert torch.equal(torch.cat([images for images, *_ in made]), whole[:40])


def test_chunks_are_whole_sgd_batches_but_the_last() -> None:
    assert [len(images) for images, *_ in chunks(0)] == [32, 32, 26]


def test_another_order_every_epoch_and_every_seed() -> None:
    first = torch.cat([images for images, *_ in chunks(0)])
    assert torch.equal(first, torch.cat([images for images, *_ in chunks(0)]))
    for other in (chunks(1), chunks(0, seed=1)):
        assert not torch.equal(first, torch.cat([images for images, *_ in other]))


@pytest.mark.parametrize("epoch", [0, 3])
def test_augmentation_is_that_of_the_sample_in_its_epoch(epoch: int) -> None:
    augment = Augmentation(shift=2, rotate=0, flip=True)
    plain = torch.cat([images for images, *_ in chunks(epoch)])
    augmented = torch.cat([images for images, *_ in chunks(epoch, augment)])
    assert torch.equal(augmented, augment(plain, 0, epoch, np.arange(len(plain))))


def test_it_tests_on_the_tasks_test_images() -> None:
    task = make_task(30)
    ((images, labels, _),) = list(TaskChunks(task, CPU, 0, None, 4).val_dataloader())
    np.testing.assert_allclose(images, task.test.images.transpose(0, 3, 1, 2) / 255, atol=1e-7)
    np.testing.assert_array_equal(labels, task.test.labels)
