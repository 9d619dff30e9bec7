import pytest
import torch
from torch import nn

from mimicbench import hardware
from mimicbench.errors import UserError
from mimicbench.hardware import Hardware, cores, has_compiler, limit_threads
from mimicbench.rank import Rank


def test_auto_takes_a_gpu_where_there_is_one_and_bfloat16_where_it_is_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    for gpu in (False, True):
        monkeypatch.setattr(torch.cuda, "is_available", lambda gpu=gpu: gpu)
        monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
        for fast in (False, True):
            monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda fast=fast, **_: fast)
            monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda fast=fast: fast)
            monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda fast=fast: fast)
            chosen = Hardware.choose("auto", "auto", "auto")
            assert (chosen.device.type, chosen.accelerator) == (("cuda", "gpu") if gpu else ("cpu", "cpu"))
            assert chosen.precision == ("bf16-mixed" if fast else "32-true")
            assert Hardware.choose("cpu", "auto", "auto").device.type == "cpu"


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_what_is_asked_for_is_taken(precision: str) -> None:
    hardware = Hardware.choose("cpu", precision, "auto")  # type: ignore[arg-type]
    assert hardware.precision == precision
    with hardware.autocast():
        assert torch.is_autocast_enabled("cpu") == (precision == "bf16-mixed")
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (torch.bfloat16 if precision == "bf16-mixed" else torch.float32)


def test_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=r"trainer\.accelerator=gpu"):
        Hardware.choose("gpu", "auto", "auto")


def test_more_devices_than_there_are() -> None:
    with pytest.raises(UserError, match=rf"trainer\.devices={cores() + 1}, but there are {cores()} cores here"):
        Hardware.choose("cpu", "auto", "auto", cores() + 1, Rank(0, cores() + 1))


def test_a_task_of_slurm_counts_its_own_cores_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "2")
    monkeypatch.setattr(hardware, "cores", lambda: 2)
    assert Hardware.choose("cpu", "auto", "auto", 8, Rank(0, 8)).device.type == "cpu"


def test_ranks_meet_in_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "cores", lambda: 2)
    assert Hardware.choose("cpu", "auto", "auto", 2, Rank(1, 2, 1)).sgd_step == "eager"
    with pytest.raises(UserError, match=r"trainer\.sgd_step=compiled is for one device"):
        Hardware.choose("cpu", "auto", "compiled", 2, Rank(1, 2, 1))


def test_each_rank_takes_the_gpu_of_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: taken[-1])
    chosen = Hardware.choose("auto", "bf16-mixed", "auto", 2, Rank(3, 4, 1))
    assert (chosen.device, chosen.sgd_step, chosen.recorder) == (torch.device("cuda", 1), "eager", None)


def test_no_more_threads_than_before_nor_than_cores() -> None:
    before = torch.get_num_threads()
    limit_threads()
    assert 1 <= torch.get_num_threads() <= min(before, cores())


def test_steps_are_captured_on_a_gpu_and_eager_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Hardware.choose("cpu", "auto", "auto").sgd_step == "eager"
    assert Hardware(torch.device("cpu"), "32-true", "compiled").recorder is None
    assert Hardware(torch.device("cuda"), "32-true", "captured").recorder is not None
    with pytest.raises(UserError, match=r"trainer\.sgd_step=captured needs a GPU"):
        Hardware.choose("cpu", "auto", "captured")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    assert Hardware.choose("gpu", "32-true", "auto").sgd_step == "captured"
    assert Hardware.choose("gpu", "32-true", "eager").sgd_step == "eager"


def test_compiling_needs_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(UserError, match=r"trainer\.sgd_step=compiled needs a C\+\+ compiler"):
        Hardware.choose("cpu", "auto", "compiled")


def test_a_compiled_network_is_compiled_for_more_shapes_than_pytorch_allows_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compile_, sizes = nn.Module.compile, []

    def note(graph: nn.Module, examples: list[torch.Tensor]) -> nn.Module:
        sizes.append([len(one) for one in examples if one.dim() == 2][-1])
        return graph

    monkeypatch.setattr(nn.Module, "compile", lambda self, **given: compile_(self, backend=note, **given))
    monkeypatch.setattr(torch._dynamo.config, "cache_size_limit", 8)
    network = Hardware(torch.device("cpu"), "32-true", "compiled").fast(nn.Sequential(nn.Linear(7, 5)))
    for size in range(10, 30):
        network(torch.rand(size, 7))
    assert sizes == list(range(10, 30))


@pytest.mark.skipif(not has_compiler(), reason="needs a C++ compiler")
def test_a_compiled_network_keeps_its_names_and_learns_the_same() -> None:
    torch.manual_seed(0)
    images = torch.rand(200, 32, 3, 8, 8)
    losses, names = [], []
    for mode in ("eager", "compiled"):
        torch.manual_seed(1)
        network: nn.Module = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5)
        )
        network = Hardware(torch.device("cpu"), "32-true", mode).fast(network)  # type: ignore[arg-type]
        optimizer = torch.optim.SGD(network.parameters(), 0.05, 0.9)
        names.append(list(network.state_dict()))
        losses.append([])
        for batch in images:
            loss = nn.functional.cross_entropy(network(batch), batch.mean((1, 2, 3)).mul(5).long().clamp(0, 4))
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses[-1].append(loss.item())
    assert names[0] == names[1]
    assert losses[1] == pytest.approx(losses[0], abs=1e-3)
