"""Mentors from files: each format against the network that it was made from."""

import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from mimicbench.errors import UserError
from mimicbench.hardware import Hardware
from mimicbench.mentors import Mentor
from mimicbench.mentors.exchange import ModelIO
from mimicbench.mentors.onnx import onnx as read_onnx
from mimicbench.schema import build
from tests.making import make_paths
from tests.standins import FLOAT32, make_task, spied

CONF = Path(__file__).resolve().parents[2] / "conf"
TASK = make_task(classes=5)
IMAGES = torch.rand(7, 3, 32, 32, generator=torch.manual_seed(1))


class Small(nn.Module):
    """A linear reader of images, [B, 3, 32, 32]."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(3 * 32 * 32, 5)

    def forward(self, images: Tensor) -> Tensor:
        return self.linear(images.flatten(1))


class Two(Small):
    """Answers with scores and with a class."""

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        scores = super().forward(images)
        return scores, scores.argmax(1)


def as_onnx(file: Path, batch: int | str = "batch", output: str = "logits") -> Path:
    """The same reader, written node by node."""
    network = Small()
    weights = [numpy_helper.from_array(one.detach().numpy(), name) for name, one in network.linear.named_parameters()]
    nodes = [
        helper.make_node("Flatten", ["images"], ["flat"], axis=1),
        helper.make_node("Gemm", ["flat", "weight", "bias"], ["logits"], transB=1),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        helper.make_node("ArgMax", ["logits"], ["label"], axis=1, keepdims=0),
    ]
    shapes: dict[str, Any] = {"logits": [batch, 5], "probabilities": [batch, 5], "label": [batch]}
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64 if name == "label" else TensorProto.FLOAT, shapes[name])
        for name in output.split(",")
    ]
    takes = helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch, 3, 32, 32])
    graph = helper.make_graph(nodes, "reader", [takes], outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, file)
    return file


def as_pt2(file: Path, network: nn.Module | None = None) -> Path:
    any_number = torch.export.Dim("batch", min=1, max=4096)
    program = torch.export.export(network or Small(), (IMAGES[:2],), dynamic_shapes=({0: any_number},))
    torch.export.save(program, file)
    return file


def as_script(file: Path, network: nn.Module | None = None) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace((network or Small()).eval(), IMAGES[:2]), str(file))
    return file


FORMS: dict[str, Callable[[Path], Path]] = {"onnx": as_onnx, "torch_export": as_pt2, "torchscript": as_script}


def made(form: str, file: Path, trust: bool = True, **io: Any) -> Mentor:
    """As its YAML file makes it, with some settings."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        node = compose(f"mentor/{form}")["mentor"]
    node.path = str(file)
    if "trust" in node:
        node.trust = trust
    node.io.update(io)
    mentor: Mentor = build("mentor", OmegaConf.to_container(node), TASK, make_paths(file.parent), FLOAT32)
    return mentor


def refused(form: str, file: Path, **io: Any) -> str:
    with pytest.raises(UserError) as error:
        made(form, file, **io)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("form", FORMS)
def test_a_file_answers_as_the_network_that_it_holds(form: str, tmp_path: Path) -> None:
    mentor = made(form, FORMS[form](tmp_path / "model"), layout="nchw", range=1, says="logits")
    expected = Small()(IMAGES).softmax(1)
    torch.testing.assert_close(mentor(IMAGES), expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(mentor(IMAGES[:1]), expected[:1], atol=1e-5, rtol=1e-4)
    many = torch.rand(600, 3, 32, 32)
    torch.testing.assert_close(mentor(many), Small()(many).softmax(1), atol=1e-5, rtol=1e-4)
    assert mentor.classes == TASK.classes
    assert mentor.network is None
    assert not mentor.names_class_only
    assert not mentor(IMAGES.requires_grad_()).requires_grad


@pytest.mark.parametrize("form", FORMS)
def test_the_fingerprint_is_that_of_file_and_language(form: str, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    io = {"layout": "nchw", "range": 1, "says": "logits"}
    first = made(form, FORMS[form](tmp_path / "a"), **io)
    (tmp_path / "b").write_bytes((tmp_path / "a").read_bytes())
    assert made(form, tmp_path / "b", **io).fingerprint == first.fingerprint
    assert made(form, tmp_path / "a", **io | {"range": 255}).fingerprint != first.fingerprint


@pytest.mark.parametrize("form", FORMS)
def test_files_that_are_missing_or_damaged(form: str, tmp_path: Path) -> None:
    io = {"layout": "nchw", "range": 1, "says": "logits"}
    assert "is not a file" in refused(form, tmp_path / "absent", **io)
    whole = FORMS[form](tmp_path / "whole").read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"no model"):
        (tmp_path / "damaged").write_bytes(content)
        assert "damaged is no " in refused(form, tmp_path / "damaged", **io)


def test_onnx_of_a_fixed_batch_is_filled_up(tmp_path: Path) -> None:
    mentor = made("onnx", as_onnx(tmp_path / "four.onnx", batch=4), range=1, says="logits")
    torch.testing.assert_close(mentor(IMAGES), Small()(IMAGES).softmax(1), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("form", FORMS)
def test_a_batch_may_be_chosen(form: str, tmp_path: Path) -> None:
    mentor = made(form, FORMS[form](tmp_path / "model"), layout="nchw", range=1, says="logits", batch=4)
    torch.testing.assert_close(mentor(IMAGES), Small()(IMAGES).softmax(1), atol=1e-5, rtol=1e-4)
    assert mentor._exchange.batch == 4


def test_weights_that_lie_beside_an_onnx_file_are_part_of_it(tmp_path: Path) -> None:
    whole, file = onnx.load(as_onnx(tmp_path / "whole.onnx")), tmp_path / "model.onnx"
    onnx.save(
        whole, file, save_as_external_data=True, all_tensors_to_one_file=True, location="weights.bin", size_threshold=0
    )
    first, graph = made("onnx", file, range=1, says="logits"), file.read_bytes()
    torch.testing.assert_close(first(IMAGES), Small()(IMAGES).softmax(1), atol=1e-5, rtol=1e-4)
    weights = np.fromfile(tmp_path / "weights.bin", np.float32)
    (weights + 0.01).tofile(tmp_path / "weights.bin")
    assert file.read_bytes() == graph
    assert made("onnx", file, range=1, says="logits").fingerprint != first.fingerprint


def test_one_of_several_outputs_is_named(tmp_path: Path) -> None:
    file = as_onnx(tmp_path / "three.onnx", output="logits,probabilities,label")
    said = refused("onnx", file, range=1)
    assert "offers 'logits' float32 [any, 5]; 'probabilities' float32 [any, 5]; 'label' int64 [any]" in said
    expected = Small()(IMAGES).softmax(1)
    sure = made("onnx", file, range=1, output="probabilities", says="probabilities")
    torch.testing.assert_close(sure(IMAGES), expected, atol=1e-5, rtol=1e-4)
    label = made("onnx", file, range=1, output="label")
    assert label.names_class_only
    assert torch.equal(label(IMAGES), torch.eye(5)[expected.argmax(1)])
    wrong = made("onnx", file, range=1, output="logits", says="probabilities")
    with pytest.raises(UserError, match=r"choose mentor\.io\.says=logits"):
        wrong(IMAGES)


@pytest.mark.parametrize(("form", "make"), [("torch_export", as_pt2), ("torchscript", as_script)])
def test_several_outputs_of_torch(form: str, make: Callable[[Path, nn.Module], Path], tmp_path: Path) -> None:
    file, io = make(tmp_path / "two", Two()), {"layout": "nchw", "range": 1}
    names = ("linear", "argmax") if form == "torch_export" else ("0", "1")
    scores = made(form, file, **io, output=names[0], says="logits")
    torch.testing.assert_close(scores(IMAGES), Small()(IMAGES).softmax(1), atol=1e-5, rtol=1e-4)
    label = made(form, file, **io, output=names[1], says="label")
    assert torch.equal(label(IMAGES), torch.eye(5)[Small()(IMAGES).argmax(1)])


class Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, witness: Path) -> None:
        self._witness = str(witness)

    def __reduce__(self) -> tuple[Any, ...]:
        return (np.savetxt, (self._witness, [1.0]))


@pytest.mark.parametrize(
    "inside",
    [
        "data/sample_inputs/model.pt",
        "data/constants/opaque_obj_0",
        "data/constants/opaque_obj_/x",
        "data/constants/custom_obj_0",
    ],
)
def test_a_program_that_carries_objects_is_refused_and_runs_nothing(inside: str, tmp_path: Path) -> None:
    witness = tmp_path / "ran"
    whole, evil = as_pt2(tmp_path / "whole.pt2"), tmp_path / "evil.pt2"
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(evil, "w") as target:
        root = source.namelist()[0].split("/")[0]
        for name in source.namelist():
            if name != f"{root}/{inside}":
                target.writestr(name, source.read(name))
        content = pickle.dumps(Evil(witness))
        if inside.endswith(".pt"):
            torch.save(Evil(witness), tmp_path / "objects.pt")
            content = (tmp_path / "objects.pt").read_bytes()
        target.writestr(f"{root}/{inside}", content)
    assert "evil.pt2" in refused("torch_export", evil, range=1, says="logits")
    assert not witness.exists()


@pytest.mark.parametrize("form", ["torch_export", "torchscript"])
def test_a_program_of_a_stranger_is_not_even_loaded(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = FORMS[form](tmp_path / "model")
    loaded = [spied(monkeypatch, torch.jit, "load"), spied(monkeypatch, torch.export, "load")]
    with pytest.raises(UserError, match=r"is a program.*mentor\.trust=true"):
        made(form, file, trust=False, layout="nchw", range=1, says="logits")
    assert loaded == [[], []]


def test_a_program_of_two_inputs_is_refused(tmp_path: Path) -> None:
    class Both(Small):
        def forward(self, images: Tensor, more: Tensor) -> Tensor:  # type: ignore[override]
            return super().forward(images + more)

    torch.export.save(torch.export.export(Both(), (IMAGES, IMAGES)), tmp_path / "both.pt2")
    said = refused("torch_export", tmp_path / "both.pt2", range=1, says="logits")
    assert (
        "'images' float32 [7, 3, 32, 32]; 'more' float32 [7, 3, 32, 32]; only programs that take images alone" in said
    )


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_an_onnx_mentor_on_the_cpu_answers_elsewhere_than_a_student_on_a_gpu(device: str, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
        hardware = Hardware(torch.device(device), "32-true")
        io = ModelIO(range=1, says="logits")
        path = as_onnx(tmp_path / "model.onnx")
        mentor = read_onnx(TASK, make_paths(tmp_path), hardware, path=path, io=io)
    assert mentor.elsewhere == (device == "cuda")


def test_an_onnx_mentor_runs_on_the_jobs_own_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted: list[Any] = []
    session = onnxruntime.InferenceSession

    def on_the_cpu(file: str, options: Any, providers: list[Any]) -> Any:
        wanted.extend(providers)
        return session(file, options, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(
        "onnxruntime.get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    monkeypatch.setattr("onnxruntime.InferenceSession", on_the_cpu)
    path, io = as_onnx(tmp_path / "model.onnx"), ModelIO(range=1, says="logits")
    read_onnx(TASK, make_paths(tmp_path), Hardware(torch.device("cuda", 3), "32-true"), path=path, io=io)
    assert wanted == [("CUDAExecutionProvider", {"device_id": 3}), "CPUExecutionProvider"]
