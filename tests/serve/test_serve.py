"""A mentor of ours behind a real MLServer on loopback, asked as anybody's."""

import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
import urllib3
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from mimicbench.configuration import composed
from mimicbench.errors import UserError
from mimicbench.guarded import Guarded
from mimicbench.mentors.http import HttpMentor
from mimicbench.networks.vgg import VGG16
from mimicbench.oracles import Oracle
from mimicbench.schema import build, check
from mimicbench.serve.__main__ import main
from tests.making import make_paths
from tests.standins import FLOAT32

CONF = Path(__file__).resolve().parents[2] / "conf"
IMAGES = torch.randint(0, 256, (200, 3, 32, 32), generator=torch.manual_seed(1)) / 255
TASK_FACTS = (10, 32)
PROBABILITIES = {"says": "probabilities"}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A small mentor from a checkpoint, with places of its own."""
    folder = tmp_path_factory.mktemp("served")
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = VGG16(*TASK_FACTS, 0.0, width=0.1, batch_norm=True)
        torch.nn.init.normal_(list(network.parameters())[-2], std=5)  # answers that differ
        torch.save(network.state_dict(), folder / "mentor.pt")
    return [
        *("mentor=vgg16_bn", f"mentor.checkpoint={folder / 'mentor.pt'}", "mentor.network.width=0.1"),
        *(f"paths.cache_dir={folder}", f"paths.data_dir={folder}", "trainer.accelerator=cpu"),
        "trainer.precision=32-true",
    ]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


@contextmanager
def served(settings: list[str], *overrides: str) -> Iterator[str]:
    """The address of a server that runs meanwhile, and then ends as it should."""
    port = free_port()
    command = [sys.executable, "-m", "mimicbench.serve", f"--port={port}", *settings, *overrides]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ})
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                if urllib3.request("GET", f"{url}/v2/models/mentor/ready", retries=False, timeout=5).status == 200:
                    break
            except urllib3.exceptions.HTTPError:
                assert process.poll() is None, process.communicate()[0]
            time.sleep(0.2)
        else:
            pytest.fail("the server is not ready after two minutes")
        yield url
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
        assert process.returncode in (0, -signal.SIGTERM), said
        assert f"mentor.url={url} mentor.model=mentor mentor.revision=served-" in said
        assert "oracle.budget" not in said  # the server's covers what is asked to measure too
        assert "Traceback" not in said
    finally:
        process.kill()
        process.wait()


def asking(url: str, folder: Path, **io: str) -> HttpMentor:
    """A mentor behind that address, as the YAML file makes it."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        node = compose("mentor/http")["mentor"]
    node.url, node.model = url, "mentor"
    node.io.update(io)
    paths = make_paths(folder)
    task = build("task", composed(["task=digits", f"paths.output_dir={folder}"])["task"], paths)
    mentor: HttpMentor = build("mentor", OmegaConf.to_container(node), task, paths, FLOAT32)
    return mentor


def at_hand(settings: list[str], folder: Path, *overrides: str) -> Oracle:
    """The same oracle without a wire."""
    config = check(composed([*settings, *overrides, f"paths.output_dir={folder}"]))
    return Guarded.of(config, build("task", config.task, config.paths), FLOAT32).oracle


def test_a_protection_answers_on_the_wire_as_it_does_at_hand(settings: list[str], tmp_path: Path) -> None:
    protection = ["oracle=gaussian", "oracle.budget=300"]
    with served(settings, *protection) as url:
        mentor = asking(url, tmp_path, **PROBABILITIES)
        replies = mentor(IMAGES)
        torch.testing.assert_close(replies, at_hand(settings, tmp_path, *protection).ask(IMAGES), atol=1e-5, rtol=1e-4)
        unprotected = at_hand(settings, tmp_path, "oracle=softmax").ask(IMAGES)
        assert (replies - unprotected).abs().sum(1).mean() > 0.05
        assert mentor.account.measuring == 200

        with pytest.raises(UserError, match=r"HTTP 403 .*oracle.budget=300 does not cover 64 more images after 2"):
            mentor(1 - IMAGES)


def test_a_label_is_all_that_is_on_the_wire(settings: list[str], tmp_path: Path) -> None:
    with served(settings, "oracle=label") as url:
        told = urllib3.request("GET", f"{url}/v2/models/mentor").json()
        assert told["outputs"] == [{"name": "label", "datatype": "INT64", "shape": [-1]}]
        mentor = asking(url, tmp_path)
        assert mentor.names_class_only
        replies = mentor(IMAGES)
        assert torch.equal(replies, at_hand(settings, tmp_path, "oracle=label").ask(IMAGES))
        assert len(replies.argmax(1).unique()) > 1
        for shape, data, said in [
            ([1, 32, 32, 3], [0] * 3071, "are not [1, 32, 32, 3] whole numbers from 0 to 255"),
            ([1, 32, 32, 3], [0] * 3071 + [256], "are not [1, 32, 32, 3] whole numbers from 0 to 255"),
            ([1, 32, 32, 3], [0] * 3071 + [0.5], "are not [1, 32, 32, 3] whole numbers from 0 to 255"),
            ([1, 16, 16, 3], [0] * 768, "is UINT8 [1, 16, 16, 3], and UINT8 [B, 32, 32, 3]"),
            ([0, 32, 32, 3], [], "are not [0, 32, 32, 3] whole numbers"),
            ([4097, 32, 32, 3], [0], "holds 4,096 images at most"),
        ]:
            status, error = posted(url, "infer", {"inputs": [put(shape, data)]})
            assert status == (413 if shape[0] > 1 else 400)
            assert said in error
        status, error = posted(url, "infer", {"id": "\u0100", "inputs": [put([1, 32, 32, 3], [0] * 3072)]})
        assert (status, error) == (400, "The id holds letters that are not ASCII.")


def put(shape: list[int], data: list[float]) -> dict[str, Any]:
    return {"name": "images", "datatype": "UINT8", "shape": shape, "data": data}


def posted(url: str, path: str, body: dict[str, Any]) -> tuple[int, str]:
    reply = urllib3.request("POST", f"{url}/v2/models/mentor/{path}", json=body)
    return reply.status, str(reply.json().get("error"))


def test_nobody_can_take_the_model_away(settings: list[str]) -> None:
    with served(settings, "oracle=label") as url:
        for path in ("/v2/repository/models/mentor/unload", "/v2/repository/index", "/v2/models/mentor/infer_stream"):
            assert urllib3.request("POST", url + path, json={"inputs": []}).status == 404
        assert urllib3.request("GET", f"{url}/v2/models/mentor/ready").status == 200


def said(*arguments: str) -> str:
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    assert isinstance(end.value.code, str)
    return end.value.code


def test_another_protection_at_the_same_address_is_another_revision(
    settings: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mimicbench.serve.server.run", lambda *_: None)
    revisions = []
    for protection in (["oracle=rounded"], ["oracle=rounded"], ["oracle=rounded", "oracle.decimals=3"], ["oracle=mad"]):
        main([f"--port={free_port()}", *settings, *protection])
        revisions += re.findall(r"mentor\.revision=(served-\S+)", capsys.readouterr().out)
    assert len(revisions) == 4
    assert revisions[0] == revisions[1]
    assert len(set(revisions)) == 3


def test_a_port_that_is_taken_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"127.0.0.1:{port} cannot be listened on" in said(f"--port={port}")


def test_a_wrong_setting_is_refused() -> None:
    assert "oracle.decimals" in said(f"--port={free_port()}", "oracle=rounded", "oracle.decimals=-1")
    assert "nothing" in said(f"--port={free_port()}", "oracle=nothing")


def test_mlserver_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert said() == "python -m mimicbench.serve needs MLServer: pip install -e '.[serve]'."
