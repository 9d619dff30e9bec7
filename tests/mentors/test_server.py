"""A server that fails in every way, asked through the mentor that it is."""

import time

import pytest
import torch

from tests.mentors.inference_server import serving
from tests.mentors.reader import EXPECTED, IMAGES, METADATA, made, once_each, read, refused


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
