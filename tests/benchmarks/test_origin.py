import platform
from pathlib import Path

import pytest

from mimicbench.benchmarks import origin
from mimicbench.results import code, versions


def test_it_names_commit_processor_and_versions() -> None:
    found = origin.origin()
    assert found["code"] == code()
    assert found["versions"] == versions()
    assert found["processor"]
    line = origin.told(found)
    assert str(found["code"]["commit"]) in line
    assert (found["gpu"] or found["processor"]) in line


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="flags are those of x86")
def test_a_processor_is_told_with_what_makes_it_fast() -> None:
    if not Path("/proc/cpuinfo").exists():
        pytest.skip("only Linux tells")
    words = origin.origin()["processor"].split()
    listed = Path("/proc/cpuinfo").read_text().partition("flags")[2].partition("\n")[0].split()
    for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16"):
        assert (flag in words) == (flag in listed)
