"""An SGD step in plain PyTorch, without Lightning: what a job's steps are compared with."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from mimicbench.captured_step import CapturedStep, Step, recordable
from mimicbench.hardware import Hardware
from mimicbench.recipe import Recipe


def bare_step(network: nn.Module, recipe: Recipe, hardware: Hardware, images: Tensor, targets: Tensor) -> Step:
    """A step on batches that already lie on the device.

    Args:
        network: Learns in place.
        recipe: How; its schedule is left out.
        hardware: ``sgd_step`` says whether the step is eager, captured or compiled.
        images: A batch of the shape of all later ones, float [B, C, H, W].
        targets: Its targets, float [B, K].
    """
    network = hardware.fast(network.to(hardware.device)).train()
    optimizer = recipe.optimizer(network)

    def step(batch: Tensor, target: Tensor) -> Tensor:
        with torch.autocast(
            hardware.device.type, torch.bfloat16, enabled=hardware.precision == "bf16-mixed", cache_enabled=False
        ):
            logits = network(batch)
        loss = F.cross_entropy(logits.float(), target)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    if hardware.recorder is None:
        return step
    return CapturedStep(step, images, targets, recordable(network, optimizer), hardware.recorder())
