"""An SGD step in plain PyTorch, without Lightning: what nothing that trains the same network can beat."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from mimicbench.captured_step import CapturedStep, Step
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
    network = hardware.learning(network.to(hardware.device)).train()
    weights = list(network.parameters())
    optimizer = torch.optim.SGD(
        weights, recipe.learning_rate, recipe.momentum, weight_decay=recipe.weight_decay, fused=True
    )

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

    recording = hardware.recording()
    if recording is None:
        return step
    for weight in weights:
        optimizer.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
    state = [*weights, *network.buffers(), *(kept["momentum_buffer"] for kept in optimizer.state.values())]
    return CapturedStep(step, images, targets, state, recording)
