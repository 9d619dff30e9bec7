"""Batch norm over the images of all ranks, where PyTorch has none: on a CPU."""

from typing import Any

import torch
from lightning.pytorch.plugins.layer_sync import LayerSync
from torch import Tensor, distributed, nn


class _Sum(torch.autograd.Function):
    """Sums tensors over all ranks; the gradient of all their losses reaches each of them."""

    @staticmethod
    def forward(_: Any, value: Tensor) -> Tensor:
        total = value.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(_: Any, *gradient: Tensor) -> Tensor:
        total = gradient[0].clone()
        distributed.all_reduce(total)
        return total


class SynchronisedBatchNorm2d(nn.BatchNorm2d):
    """Normalises by mean and variance of the batch that all ranks have together, as one process would.

    ``torch.nn.SyncBatchNorm`` refuses tensors on a CPU.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (its name in PyTorch)
        """Of float [B, C, H, W] on each rank, whose B may differ; the same shape and dtype."""
        if not self.training:
            return super().forward(input)
        values = input.to(torch.promote_types(input.dtype, torch.float32))
        count = torch.tensor(float(values.numel() // self.num_features), device=input.device)
        distributed.all_reduce(count)
        mean = _summed(values) / count
        centred = values - mean[:, None, None]
        variance = _summed(centred.square()) / count
        with torch.no_grad():
            assert self.running_mean is not None
            assert self.running_var is not None
            assert self.num_batches_tracked is not None
            assert self.momentum is not None
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
            self.num_batches_tracked.add_(1)
        scale = self.weight * (variance + self.eps).rsqrt()
        return torch.addcmul(self.bias[:, None, None], centred, scale[:, None, None]).to(input.dtype)


def _summed(values: Tensor) -> Tensor:
    """Sums, float [C], over all images and places of all ranks."""
    total: Tensor = _Sum.apply(values.sum((0, 2, 3)))
    return total


class SynchroniseBatchNorm(LayerSync):
    """Makes the batch norms of a network synchronised ones while it trains; its weights stay where they are."""

    def apply(self, model: nn.Module) -> nn.Module:
        """Change them in place."""
        return _become(model, nn.BatchNorm2d, SynchronisedBatchNorm2d)

    def revert(self, model: nn.Module) -> nn.Module:
        """Change them back."""
        return _become(model, SynchronisedBatchNorm2d, nn.BatchNorm2d)


def _become(model: nn.Module, old: type[nn.Module], new: type[nn.Module]) -> nn.Module:
    for module in model.modules():
        if type(module) is old:
            module.__class__ = new  # nothing else differs
    return model
