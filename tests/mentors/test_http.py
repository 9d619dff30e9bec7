"""A mentor behind a server of ours that fails in every way."""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from mimicbench.errors import UserError
from mimicbench.mentors.http import HttpMentor
from mimicbench.mentors.replies import Account
from mimicbench.paths import Paths
from mimicbench.schema import build
from tests.making import make_paths
from tests.mentors.inference_server import Witness, serving
from tests.mentors.killed_while_asking import images as asked_images
from tests.standins import FLOAT32, make_task, until

CONF = Path(__file__).resolve().parents[2] / "conf"
TASK = make_task(classes=5)
PATHS: list[Paths] = []
WEIGHT = np.random.default_rng(0).normal(0, 0.1, (3072, 5)).astype(np.float32)
IMAGES = torch.rand(100, 3, 32, 32, generator=torch.manual_seed(1))
METADATA = {
    "name": "reader",
    "inputs": [{"name": "images", "datatype": "FP32", "shape": [-1, 3, 32, 32]}],
    "outputs": [
        {"name": "logits", "datatype": "FP32", "shape": [-1, 5]},
        {"name": "label", "datatype": "INT64", "shape": [-1]},
    ],
}
EXPECTED = torch.from_numpy(IMAGES.flatten(1).numpy() @ WEIGHT).softmax(1)


def read(images: np.ndarray) -> dict[str, np.ndarray]:
    logits = images.reshape(len(images), -1) @ WEIGHT
    return {"logits": logits, "label": logits.argmax(1)}


@pytest.fixture(autouse=True)
def paths(tmp_path: Path) -> Iterator[Paths]:
    """Where replies are kept: a place of its own for each test."""
    PATHS.append(make_paths(tmp_path))
    yield PATHS[-1]
    PATHS.pop()


def made(
    url: str,
    *,
    io: dict[str, Any] | None = None,
    model: str = "reader",
    version: str | None = None,
    revision: int | None = None,
    **wire: Any,
) -> HttpMentor:
    """As the YAML file makes it, with some settings."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        node = compose("mentor/http")["mentor"]
    node.url, node.model, node.version, node.revision = url, model, version, revision
    node.io.update({"output": "logits", "range": 1, "says": "logits"} if io is None else io)
    node.wire.update({"backoff": 0.01, "batch_size": 8, **wire})
    mentor: HttpMentor = build("mentor", OmegaConf.to_container(node), TASK, PATHS[-1], FLOAT32)
    return mentor


def refused(*given: Any, **named: Any) -> str:
    with pytest.raises(UserError) as error:
        made(*given, **named)(IMAGES)
    return str(error.value)


def once_each(witness: Witness) -> bool:
    images = {image.numpy().tobytes() for image in IMAGES}
    return Counter(witness.answered) == Counter(dict.fromkeys(images, 1))


@pytest.mark.parametrize(
    ("encoding", "extensions", "binary"),
    [
        ("json", ["binary_tensor_data"], False),
        ("binary", [], True),
        ("auto", ["binary_tensor_data"], True),
        ("auto", [], False),
    ],
)
def test_answers_come_back_in_the_order_of_the_images(encoding: str, extensions: list[str], binary: bool) -> None:
    with serving(read, metadata=METADATA, extensions=tuple(extensions)) as (url, witness):
        mentor = made(url, encoding=encoding)
        torch.testing.assert_close(mentor(IMAGES), EXPECTED, atol=1e-5, rtol=1e-4)
        assert once_each(witness)
        assert len(witness.headers) == 13  # batches of 8
        assert all(("Inference-Header-Content-Length" in one) == binary for one in witness.headers)
        assert mentor.account.retried == 0


def test_a_label_is_asked_for_by_its_name() -> None:
    with serving(read, metadata=METADATA) as (url, _):
        mentor = made(url, io={"output": "label", "range": 1})
        assert mentor.names_class_only
        assert torch.equal(mentor(IMAGES), torch.eye(5)[EXPECTED.argmax(1)])


def test_bytes_are_sent_as_such() -> None:
    takes = [{"name": "images", "datatype": "UINT8", "shape": [-1, 32, 32, 3]}]

    def read_bytes(images: np.ndarray) -> dict[str, np.ndarray]:
        assert images.dtype == np.uint8
        return read((images.transpose(0, 3, 1, 2) / 255).astype(np.float32))

    with serving(read_bytes, metadata=METADATA | {"inputs": takes}) as (url, _):
        mentor = made(url, io={"output": "logits", "says": "logits"})
        whole = (IMAGES * 255).round() / 255
        torch.testing.assert_close(mentor(whole), torch.from_numpy(read(whole.numpy())["logits"]).softmax(1))


@pytest.mark.parametrize("wrong", ["503", "500", "429", "cut", "late", "garbage", "short", "nan", "other", "narrow"])
@pytest.mark.parametrize("encoding", ["json", "binary"])
def test_a_fifth_of_requests_that_fail_change_nothing(wrong: str, encoding: str) -> None:
    with serving(read, metadata=METADATA, trouble=lambda number: wrong if number % 5 == 1 else None) as (url, witness):
        mentor = made(url, encoding=encoding, timeout=0.5 if wrong == "late" else 30)
        torch.testing.assert_close(mentor(IMAGES), EXPECTED, atol=1e-5, rtol=1e-4)
        failed = [number for number in range(len(witness.times)) if number % 5 == 1]
        account = mentor.account
        if wrong == "late":  # on a busy machine others may be late too
            assert account.retried >= len(failed) >= 3
        else:
            assert account.retried == len(failed) >= 3
        surely_not = wrong in ("503", "429")  # the server says so itself
        assert account.in_doubt == 0 if surely_not else account.in_doubt >= 4 * len(failed)
        if wrong != "late":  # the server does not see that nobody waits any more
            assert once_each(witness)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("503", "did not answer in 3 tries (HTTP 503 (busy))"),
        ("cut", "did not answer in 3 tries ("),
        ("late", "did not answer in 3 tries (ReadTimeoutError)"),
        ("garbage", "sent 3 replies of no use; of the last, it cannot be read"),
        ("short", "sent 3 replies of no use; of the last, it answers [7, 5] to 8 images"),
        ("narrow", "sent 3 replies of no use; of the last, it answers [8, 4] to 8 images"),
        ("nan", "sent 3 replies of no use; of the last, it holds numbers that are not finite"),
        ("other", "sent 3 replies of no use; of the last, it is the reply to another request, 'another'"),
        ("400", "answers with HTTP 400 (busy)"),
        ("401", "answers with HTTP 401"),
    ],
)
def test_a_server_that_never_answers_ends_with_one_sentence(wrong: str, said: str) -> None:
    with serving(read, metadata=METADATA, trouble=lambda _: wrong) as (url, _):
        sentence = refused(url, retries=2, timeout=0.3 if wrong == "late" else 30, in_flight=1)
        assert said in sentence
        assert "\n" not in sentence


@pytest.mark.parametrize("later", ["1", "1.0"])
def test_retry_after_is_honoured(later: str) -> None:
    with serving(read, metadata=METADATA, trouble={0: "429"}.get, later=later) as (url, witness):
        made(url, in_flight=1)(IMAGES[:8])
        first, second = witness.times
        assert second - first >= 1.0


def test_a_retry_after_that_says_nothing_is_as_good_as_none() -> None:
    with serving(read, metadata=METADATA, trouble={0: "429"}.get, later="soon") as (url, _):
        torch.testing.assert_close(made(url)(IMAGES), EXPECTED, atol=1e-5, rtol=1e-4)


def test_who_is_to_come_back_tomorrow_does_not_wait() -> None:
    with serving(read, metadata=METADATA, trouble=lambda _: "429", later="86400") as (url, _):
        sentence = refused(url)
    assert sentence.startswith(f"{url} asks to come back in 86,400 seconds; do so, ")
    assert "mentor.wire.longest_pause" in sentence


def test_no_more_requests_are_in_flight_than_allowed() -> None:
    with serving(read, metadata=METADATA, slow=0.05) as (url, witness):
        made(url, in_flight=3)(IMAGES)
        assert 2 <= witness.most <= 3


def test_no_more_requests_are_sent_a_second_than_allowed() -> None:
    with serving(read, metadata=METADATA, trouble=lambda number: "503" if number == 3 else None) as (url, witness):
        made(url, per_second=20, in_flight=8)(IMAGES)  # after two for the metadata
        assert len(witness.times) == 14
        assert max(witness.times) - min(witness.times) >= 12 / 20


@pytest.mark.parametrize("filling", ["", "x" * 190])  # what a server says is cut off, but not within a secret
@pytest.mark.parametrize("secret", ["Bearer qZqXqJqVqKqWqYqB", "Token token=qZqXqJqVqKqWqYqB\n", "qZqXqJqVqKqWqYqB"])
@pytest.mark.parametrize("whole", [True, False])
def test_the_authorization_is_sent_and_never_told(
    secret: str,
    filling: str,
    whole: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MIMICBENCH_AUTHORIZATION", secret)
    caplog.set_level("DEBUG")
    echo = {"error": f"{filling}{secret.strip() if whole else 'qZqXqJqVqKqWqYqB'} is not known here"}
    with serving(read, metadata=METADATA, trouble=lambda _: "403", error=echo) as (url, witness):
        sentence = refused(url)
        assert {one["Authorization"] for one in witness.headers} == {secret.strip()}
    said = capsys.readouterr()
    assert f"{filling}…" in sentence
    for told in (sentence, caplog.text, said.out, said.err):
        assert "qZqX" not in told  # unlike any number or path in a log


def test_a_server_that_repeats_it_as_something_else_does_not_tell_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIMICBENCH_AUTHORIZATION", "Bearer another")  # this server's number of another request
    with serving(read, metadata=METADATA, trouble=lambda _: "other") as (url, _):
        assert refused(url).endswith("it is the reply to … request, '…'.")


def test_an_authorization_that_no_header_may_have_is_not_told_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIMICBENCH_AUTHORIZATION", "Bearer ключ\nx")
    sentence = refused("http://localhost")
    assert sentence == "The environment variable MIMICBENCH_AUTHORIZATION holds letters that no header may have."


def test_a_server_that_says_nothing_is_asked_what_the_configuration_says() -> None:
    with serving(read, metadata={"name": "reader"}) as (url, _):
        assert "name one of them as mentor.io.input" in refused(url)
        io = {"input": "images", "output": "logits", "layout": "nchw", "range": 1, "says": "logits"}
        torch.testing.assert_close(made(url, io=io)(IMAGES), EXPECTED, atol=1e-5, rtol=1e-4)


def test_what_is_no_server() -> None:
    for url in ("localhost:8000", "http://[::1", "http://localhost:abc", "ftp://localhost"):
        assert "is no address" in refused(url)
    assert "holds a password" in refused("http://me:secret@localhost")
    assert "secret" not in refused("http://me:secret@localhost")
    begun = time.monotonic()
    assert "did not answer in 2 tries" in refused("http://127.0.0.1:9", retries=1)
    assert time.monotonic() - begun < 5
    with serving(read, metadata=METADATA) as (url, _):
        assert "/v2/models/writer answers with HTTP 404 (no such model)." in refused(url, model="writer")


def test_no_image_is_asked_about_twice() -> None:
    with serving(read, metadata=METADATA) as (url, witness):
        mentor = made(url)
        twice = torch.cat([IMAGES[:40], IMAGES[:40], IMAGES[20:]])
        torch.testing.assert_close(mentor.queried(twice), torch.cat([EXPECTED[:40], EXPECTED[:40], EXPECTED[20:]]))
        assert once_each(witness)
        torch.testing.assert_close(made(url)(IMAGES), EXPECTED)  # another process
        assert once_each(witness)
        assert mentor.account == Account(training=100, measuring=0, in_doubt=0, retried=0)


def test_what_was_answered_before_a_failure_is_kept() -> None:
    failing = dict.fromkeys(range(6, 100), "400")
    with serving(read, metadata=METADATA, trouble=failing.get) as (url, witness):
        assert "HTTP 400" in refused(url, in_flight=2)
        paid = len(witness.answered)
        assert paid == 48
        failing.clear()
        torch.testing.assert_close(made(url)(IMAGES), EXPECTED)
        assert once_each(witness)


def test_another_output_has_replies_of_its_own() -> None:
    with serving(read, metadata=METADATA) as (url, witness):
        made(url)(IMAGES)
        made(url, io={"output": "label", "range": 1})(IMAGES)
        assert len(witness.answered) == 200


def test_a_process_killed_at_twenty_random_moments_pays_for_no_image_twice(tmp_path: Path) -> None:
    """With a server that answers a request again for nothing; of any other, what is charged twice was in doubt."""
    with serving(read, metadata=METADATA, slow=0.1) as (url, witness):
        ran = subprocess.run(
            [sys.executable, "-m", "tests.mentors.killed_while_asking", url, str(tmp_path), "0"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        account = json.loads(ran.stdout)
        expected = {image.numpy().tobytes() for image in asked_images()}
        assert account["killed"] == 20
        assert Counter(witness.charged) == Counter(dict.fromkeys(expected, 1))
        assert set(witness.answered) == expected
        again = len(witness.answered) - len(expected)
        assert again <= account["in_doubt"] <= 20 * 3 * 8  # of each kill, what was in flight
        assert account["in_doubt"] > 0
        assert account["training"] == 1000
        answers = torch.from_numpy(np.load(tmp_path / "answers.npy"))
        torch.testing.assert_close(answers, torch.from_numpy(asked_images().flatten(1).numpy() @ WEIGHT).softmax(1))


def test_a_malformed_reply_is_never_kept() -> None:
    with serving(read, metadata=METADATA, trouble=lambda _: "narrow") as (url, _):
        assert "[8, 4] to 8 images" in refused(url, in_flight=1)
        assert "no classes from 0 to 4" in refused(url, io={"output": "label", "range": 1})
    with serving(read, metadata=METADATA, trouble=lambda number: "narrow" if number == 2 else None) as (url, _):
        for _ in range(2):  # another process reads what was kept
            torch.testing.assert_close(made(url)(IMAGES), EXPECTED, atol=1e-5, rtol=1e-4)


def test_requests_that_failed_for_good_are_counted() -> None:
    trouble = dict.fromkeys(range(3), "cut")
    with serving(read, metadata=METADATA, trouble=trouble.get) as (url, _):
        first = made(url, retries=2, in_flight=1)
        first.paid_by("one")
        with pytest.raises(UserError, match="did not answer in 3 tries"):
            first(IMAGES[:8])
        made(url)(IMAGES)
        assert first.account == Account(training=0, measuring=0, in_doubt=3 * 8, retried=2)


def test_what_was_never_sent_is_not_in_doubt() -> None:
    with serving(read, metadata=METADATA) as (url, _):
        mentor = made(url, retries=2)
    mentor._server._pool.clear()  # connections that the server holds open yet
    with pytest.raises(UserError, match="did not answer in 3 tries"):
        mentor(IMAGES[:8])
    assert mentor.account == Account(training=0, measuring=0, in_doubt=0, retried=2)


@pytest.mark.parametrize(("pinned", "answered"), [("1", 100), (None, 200)])
def test_who_pins_no_version_may_be_answered_by_another_one(pinned: str | None, answered: int) -> None:
    told: dict[str, Any] = METADATA | {"versions": ["1"]}
    with serving(read, metadata=told) as (url, witness):
        made(url, version=pinned)(IMAGES)
        told["versions"] = ["1", "2"]
        made(url, version=pinned)(IMAGES)
        assert len(witness.answered) == answered


def test_another_revision_is_asked_again_and_a_slash_more_is_the_same_server() -> None:
    with serving(read, metadata=METADATA) as (url, witness):
        made(url)(IMAGES)
        made(f"{url}/")(IMAGES)
        assert len(witness.answered) == 100
        made(url, revision=2)(IMAGES)
        assert len(witness.answered) == 200


def test_replies_are_kept_as_they_came() -> None:
    with serving(read, metadata=METADATA) as (url, witness):
        with pytest.raises(UserError, match=r"choose mentor\.io\.says=logits"):
            made(url, io={"output": "logits", "range": 1, "says": "probabilities"})(IMAGES)
        assert len(witness.answered) == 100
        torch.testing.assert_close(made(url)(IMAGES), EXPECTED)  # what was meant
        assert once_each(witness)


def test_each_job_has_an_account_of_its_own() -> None:
    with serving(read, metadata=METADATA) as (url, _):
        mentor = made(url)
        mentor.paid_by("one")
        mentor(IMAGES[:10])
        mentor.queried(IMAGES[:30])
        assert mentor.account == Account(training=20, measuring=10, in_doubt=0, retried=0)
        mentor.paid_by("two")
        mentor.queried(IMAGES)
        assert mentor.account == Account(training=70, measuring=0, in_doubt=0, retried=0)


def test_a_mentor_that_hangs_up_sends_no_further_request() -> None:
    with serving(read, metadata=METADATA, slow=0.3) as (url, witness), ThreadPoolExecutor(1) as student:
        mentor = made(url, in_flight=1)
        asked = student.submit(mentor, IMAGES)
        until(lambda: bool(witness.times))
        mentor.hang_up()
        with pytest.raises(CancelledError):
            asked.result(30)
        assert len(witness.times) <= 2  # of thirteen
