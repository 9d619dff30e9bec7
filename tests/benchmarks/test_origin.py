import platform
from pathlib import Path

import pytest

from mimicbench.benchmarks import origin
from mimicbench.results import code, versions


def test_it_is_equal_for_one_code_and_machine_and_different_for_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = origin.origin()
    assert origin.origin() == first
    assert first["versions"].items() >= versions().items()
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert origin.origin()["machine"] != first["machine"]
    (tmp_path / "new.yaml").touch()
    monkeypatch.setattr(origin, "CONF", tmp_path)
    monkeypatch.setattr("mimicbench.__file__", str(tmp_path / "__init__.py"))
    empty = origin.origin()["content"]
    (tmp_path / "new.yaml").write_text("key: value")
    assert origin.origin()["content"] not in (empty, first["content"])


def test_a_gpu_is_named_where_it_was_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "A GPU")
    found = origin.origin() | {"code": code()}
    assert origin.told(found | {"device": "A GPU"}).endswith("; A GPU.")
    assert origin.told(found | {"device": "CPU, 2 threads"}).endswith(f"; {found['machine']['processor']}.")


def test_a_gpu_that_does_not_work_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> str:
        raise RuntimeError("no driver")

    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_name", fail)
    assert origin.origin()["machine"]["gpu"] == "broken: no driver"


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="flags are those of x86")
def test_a_processor_is_told_with_what_makes_it_fast() -> None:
    if not Path("/proc/cpuinfo").exists():
        pytest.skip("only Linux tells")
    words = origin.origin()["machine"]["processor"].split()
    listed = Path("/proc/cpuinfo").read_text().partition("flags")[2].partition("\n")[0].split()
    for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16"):
        assert (flag in words) == (flag in listed)
