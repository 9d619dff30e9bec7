"""One SGD step, recorded once and then replayed."""

from collections.abc import Callable, Iterable
from typing import Protocol

import torch
from torch import Tensor, nn

Step = Callable[[Tensor, Tensor], Tensor]
"""Takes one SGD step on images, float [B, C, H, W], and targets, float [B, K]; returns the loss, float []."""

_WARM_UP = 3  # steps: what PyTorch recommends before a capture


class Recording(Protocol):
    """What can be recorded and replayed: a CUDA graph, or a stand-in for one."""

    def record(self, work: Callable[[], None]) -> None:
        """Record what ``work`` asks of the device; it may be done some times for that. Uses up no random numbers."""

    def replay(self) -> None:
        """Do it again, on the same tensors."""


class CudaGraph:
    """A recording on an NVIDIA GPU: some hundred kernel launches become one.

    Args:
        device: The GPU.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._graph = torch.cuda.CUDAGraph()

    def record(self, work: Callable[[], None]) -> None:
        """Warm up on a side stream, where the libraries choose their algorithms, then capture."""
        stream = torch.cuda.Stream(self._device)
        stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(stream), torch.random.fork_rng([self._device]):
            for _ in range(_WARM_UP):
                work()
        torch.cuda.current_stream(self._device).wait_stream(stream)
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):  # loggers have threads of their own
            work()

    def replay(self) -> None:
        """Launch the graph."""
        self._graph.replay()


def recordable(network: nn.Module, optimizer: torch.optim.SGD) -> list[Tensor]:
    """Make an optimiser's steps such that they can be recorded.

    Learning rates become tensors on the device, for numbers would be recorded as they are. Momenta exist from the
    start, as zeros, which is what the first step makes of none.

    Returns:
        All tensors that a step changes: parameters, buffers, momenta.
    """
    momenta = []
    for group in optimizer.param_groups:
        group["lr"] = torch.as_tensor(group["lr"], dtype=torch.float32, device=group["params"][0].device)
        for weight in group["params"] if group["momentum"] else ():
            momenta.append(optimizer.state[weight].setdefault("momentum_buffer", torch.zeros_like(weight)))
    return [*network.parameters(), *network.buffers(), *momenta]


class CapturedStep:
    """An SGD step whose kernels are launched together.

    The trajectory is that of the step itself: what recording changes is put back.

    Args:
        step: Takes one step. It leaves no gradients behind, and waits for nothing.
        images: A batch to record with; later ones have its shape.
        targets: Its targets.
        state: All tensors that a step changes; see :func:`recordable`.
        recording: Where to record.
    """

    def __init__(
        self, step: Step, images: Tensor, targets: Tensor, state: Iterable[Tensor], recording: Recording
    ) -> None:
        self._images, self._targets = images.clone(), targets.clone()
        self._loss = torch.zeros((), device=images.device)
        self._recording = recording
        tensors = [tensor.detach() for tensor in state]
        before = [tensor.clone() for tensor in tensors]

        def work() -> None:
            self._loss.copy_(step(self._images, self._targets))

        recording.record(work)
        for tensor, value in zip(tensors, before, strict=True):
            tensor.copy_(value)

    def __call__(self, images: Tensor, targets: Tensor) -> Tensor:
        """Take a step; the loss, float [], is overwritten by the next."""
        self._images.copy_(images)
        self._targets.copy_(targets)
        self._recording.replay()
        return self._loss
