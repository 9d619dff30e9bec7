import pytest
import torch

from mimicbench.errors import UserError
from mimicbench.hardware import Hardware, cores, limit_threads


def test_auto_takes_a_gpu_where_there_is_one_and_bfloat16_where_it_is_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    for gpu in (False, True):
        monkeypatch.setattr(torch.cuda, "is_available", lambda gpu=gpu: gpu)
        monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
        for fast in (False, True):
            monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda fast=fast, **_: fast)
            monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda fast=fast: fast)
            monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda fast=fast: fast)
            chosen = Hardware.choose("auto", "auto")
            assert (chosen.device.type, chosen.accelerator) == (("cuda", "gpu") if gpu else ("cpu", "cpu"))
            assert chosen.precision == ("bf16-mixed" if fast else "32-true")
            assert Hardware.choose("cpu", "auto").device.type == "cpu"


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_what_is_asked_for_is_taken(precision: str) -> None:
    hardware = Hardware.choose("cpu", precision)  # type: ignore[arg-type]
    assert hardware.precision == precision
    with hardware.autocast():
        assert torch.is_autocast_enabled("cpu") == (precision == "bf16-mixed")
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (torch.bfloat16 if precision == "bf16-mixed" else torch.float32)


def test_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=r"trainer\.accelerator=gpu"):
        Hardware.choose("gpu", "auto")


def test_no_more_threads_than_before_nor_than_cores() -> None:
    before = torch.get_num_threads()
    limit_threads()
    assert 1 <= torch.get_num_threads() <= min(before, cores())
