"""Where the command and notebooks ask, what an error means as an exit code, and which error texts are shown."""

from __future__ import annotations

import msgspec
import pytest
from headway_client import BadAddress, BadStream, BatchView, GatewayAway
from headway_client.cli.exits import Exit, of_batch, of_error
from headway_client.errors import problem
from headway_client.messages import EventMessage
from headway_client.settings import Settings
from headway_client.watched import Standing
from headway_client.wording import error_text
from headway_events import BatchComplete, FileError, HeadwayError

from support.watched import BATCH_ID, NOW, watched_batch

ENVIRONMENT = {"HEADWAY_GATEWAY_URL": "https://headway.example", "HEADWAY_GATEWAY_TOKEN": "from-environment"}


def test_what_is_given_goes_before_the_environment_and_that_before_the_default() -> None:
    assert Settings.from_environment(None, None, {}).url == "http://127.0.0.1:8080"
    assert Settings.from_environment(None, None, {}).token is None
    assert Settings.from_environment(None, None, ENVIRONMENT).url == "https://headway.example"
    assert Settings.from_environment(None, None, ENVIRONMENT).token == "from-environment"
    given = Settings.from_environment("http://other", "given", ENVIRONMENT)
    assert (given.url, given.token) == ("http://other", "given")


def test_a_token_is_not_shown() -> None:
    assert "from-environment" not in repr(Settings.from_environment(None, None, ENVIRONMENT))


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://headway.example", "//x"])
def test_what_is_no_address_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(BadAddress, match=r"expected one such as http://127.0.0.1:8080"):
        BatchView(1, url=url)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (problem(404, b'{"type": "/problems/NoSuchBatch"}'), Exit.UNKNOWN),
        (problem(404, b"a proxy's page"), Exit.REFUSED),
        (problem(401, b""), Exit.REFUSED),
        (problem(400, b""), Exit.REFUSED),
        (problem(503, b""), Exit.AWAY),
        (problem(429, b""), Exit.AWAY),
        (GatewayAway("away"), Exit.AWAY),
        (BadStream("none"), Exit.REFUSED),
        (BadAddress("none"), Exit.USAGE),
    ],
    ids=str,
)
def test_an_error_has_its_exit_code(error: HeadwayError, expected: Exit) -> None:
    assert of_error(error) is expected


def test_a_finished_batch_has_its_exit_code() -> None:
    watched = watched_batch()
    assert of_batch(watched) is Exit.STALLED
    watched.take(EventMessage("1", BatchComplete(batch_id=BATCH_ID), b""))
    assert of_batch(watched) is Exit.ERRORS
    watched.batch.current("denoise").errors = 0
    assert of_batch(watched) is Exit.SUCCESS
    watched.stand(Standing.STOPPED, NOW)
    assert of_batch(watched) is Exit.REFUSED


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (b'{"type": "OSError", "message": "no such file\\n  traceback"}', "no such file"),
        (b'{"type": "OSError", "message": ""}', "OSError"),
        (b'{"message": {"code": 7}}', "{'code': 7}"),
        (b'"in words"', "in words"),
        (b"{}", ""),
        (b"[1]", ""),
        (b"null", ""),
        (b"1e999", ""),
        (b'"\\u001b[31mred"', "\\x1b[31mred"),
    ],
)
def test_an_error_says_what_its_response_says_first(response: bytes, expected: str) -> None:
    event = FileError(batch_id=1, stage="denoise", file_name="a.wav", response=msgspec.Raw(response))
    assert error_text(event) == expected


def test_an_error_without_a_response_says_nothing() -> None:
    assert error_text(FileError(batch_id=1, stage="denoise", file_name="a.wav")) == ""
