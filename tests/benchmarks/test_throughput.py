import json
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch

from mimicbench.benchmarks import throughput
from mimicbench.benchmarks.synthetic import configuration

SMALL = ["--network", "vgg16_bn", "--width", "0.05", "--chunk", "256", "--seconds", "0.1", "--bare-steps", "eager"]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict:  # type: ignore[type-arg]
    file = tmp_path_factory.mktemp("throughput") / "throughput.json"
    throughput.main([*SMALL, "--repeats", "3", "--peak", "1", "--json", str(file)])
    return json.loads(file.read_text())  # type: ignore[no-any-return]


def test_every_figure_has_a_value_a_repeat(report) -> None:  # type: ignore[no-untyped-def]
    names = ["T1 eager", "T2 32", "T2 128", "T2 512", "T3", "T4", "T5", "C_a", "R_a", "R_b"]
    assert list(report["figures"]) == names
    assert all(len(values) == 3 and min(values) > 0 for values in report["figures"].values())


def test_the_ratios_are_those_of_their_definitions(report) -> None:  # type: ignore[no-untyped-def]
    figures = report["figures"]
    t2 = report["C_a of"][1]
    for i in range(3):
        ceiling = 1 / (1 / figures["T1 eager"][i] + 1 / figures[t2][i])
        assert figures["R_a"][i] == pytest.approx(figures["T5"][i] / ceiling)
        assert figures["R_b"][i] == pytest.approx(figures["T5"][i] * report["operations a sample"] / 1e12)
    assert sorted(figures[t2])[1] == max(sorted(figures[name])[1] for name in ("T2 32", "T2 128", "T2 512"))


def test_a_compiled_job_is_measured_beside_compiled_and_eager_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mimicbench.hardware.has_compiler", lambda: True)
    compile_ = Mock()  # a real one takes minutes; test_run has one
    monkeypatch.setattr(torch.nn.Module, "compile", compile_)
    file = tmp_path / "throughput.json"
    throughput.main([*SMALL, "--step", "compiled", "--repeats", "1", "--json", str(file)])
    report = json.loads(file.read_text())
    assert {"T1 eager", "T1 compiled", "T2 compiled", "T5"} < set(report["figures"])
    assert report["sgd_step"] == "compiled"
    assert set(report["seconds to prepare"]) == {"eager", "compiled"}
    assert compile_.call_count == 2 + 3 * 2  # T1 and T2; mentor and student of three jobs: for parts, of T3, of T5


def test_the_operations_are_those_of_vgg16(tmp_path: Path) -> None:
    config = configuration(tmp_path, ["student.width=1.0"])
    assert throughput._operations(config) == pytest.approx(2.506e9, rel=0.01)  # 0.627 to answer, 1.879 to train


def test_a_users_mistake_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"^attack\.chunk_size=100 is no multiple of attack\.recipe\.batch_size=128"):
        throughput.main(["--width", "0.05", "--chunk", "100", "--json", str(tmp_path / "out.json")])
    assert not (tmp_path / "out.json").exists()


def test_a_step_that_the_device_lacks_is_refused(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(SystemExit, match="captured needs a GPU"):
        throughput.main(["--bare-steps", "captured", "--json", str(tmp_path / "out.json")])


def test_compiled_steps_need_a_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throughput, "has_compiler", lambda: False)
    with pytest.raises(SystemExit, match=r"--bare-steps compiled needs a C\+\+ compiler"):
        throughput.main(["--bare-steps", "compiled", "--json", str(tmp_path / "out.json")])
