"""A mentor behind a server of ours: what it answers, and what is paid for."""

import json
import subprocess
import sys
from collections import Counter
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mimicbench.errors import UserError
from mimicbench.mentors.replies import Account
from tests.mentors.inference_server import serving
from tests.mentors.killed_while_asking import images as asked_images
from tests.mentors.reader import EXPECTED, IMAGES, METADATA, WEIGHT, made, once_each, read, refused
from tests.standins import until


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


def test_a_server_that_says_nothing_is_asked_what_the_configuration_says() -> None:
    with serving(read, metadata={"name": "reader"}) as (url, _):
        assert "name one of them as mentor.io.input" in refused(url)
        io = {"input": "images", "output": "logits", "layout": "nchw", "range": 1, "says": "logits"}
        torch.testing.assert_close(made(url, io=io)(IMAGES), EXPECTED, atol=1e-5, rtol=1e-4)


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
