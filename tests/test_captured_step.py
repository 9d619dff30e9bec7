import pytest
import torch
from torch import Tensor, nn

from mimicbench.captured_step import CapturedStep, CudaGraph, recordable
from tests.standins import ReplayedWork


def test_recording_changes_nothing() -> None:
    weight, recording = torch.zeros(3), ReplayedWork(warm_up=5)

    def step(images: Tensor, targets: Tensor) -> Tensor:
        weight.add_(images.mean())
        return targets.sum()

    captured = CapturedStep(step, torch.full((2, 3), 7.0), torch.ones(2), [weight], recording)
    assert torch.equal(weight, torch.zeros(3))
    assert captured(torch.full((2, 3), 2.0), torch.full((2,), 4.0)) == 8
    assert captured(torch.ones(2, 3), torch.zeros(2)) == 0
    assert torch.equal(weight, torch.full((3,), 3.0))
    assert recording.replayed == 2


def test_a_batch_of_another_shape_is_an_error() -> None:
    captured = CapturedStep(lambda images, _: images.sum(), torch.ones(2, 3), torch.ones(2), [], ReplayedWork())
    with pytest.raises(RuntimeError):
        captured(torch.ones(5, 3), torch.ones(5))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("compiled", [False, True])
def test_a_cuda_graph_takes_the_steps_that_it_recorded(compiled: bool) -> None:
    device = torch.device("cuda", 0)
    torch.manual_seed(0)
    images, targets = torch.randn(200, 64, 20, device=device), torch.randn(200, 64, 5, device=device).softmax(2)
    trajectories = []
    for graph in (False, True):
        torch.manual_seed(1)
        network = nn.Sequential(nn.Linear(20, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 5)).to(device)
        optimizer = torch.optim.SGD(network.parameters(), 0.05, momentum=0.9, fused=True)
        if compiled:
            network.compile(dynamic=False)

        def step(batch: Tensor, target: Tensor, network: nn.Module = network, optimizer: torch.optim.SGD = optimizer):  # type: ignore[no-untyped-def]
            loss = nn.functional.cross_entropy(network(batch), target)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            return loss.detach()

        if graph:
            state = recordable(network, optimizer)
            step = CapturedStep(step, images[0], targets[0], state, CudaGraph(device))  # type: ignore[assignment]
        trajectories.append(torch.stack([step(*pair).clone() for pair in zip(images, targets, strict=True)]))
    torch.testing.assert_close(*trajectories)
