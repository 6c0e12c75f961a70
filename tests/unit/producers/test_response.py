"""Whatever a pipeline says of a file becomes JSON."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from headway import InvalidArgument
from headway.response import MOST_BYTES, MOST_TRACEBACK_CHARACTERS, describe_error, encode_response


class Unprintable:
    """Fails however it is looked at."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        pytest.param({"status": "success"}, {"status": "success"}, id="the guide's"),
        pytest.param("text", "text", id="text"),
        pytest.param([1, 2.5, None, True], [1, 2.5, None, True], id="array"),
        pytest.param({"snr": np.float32(1.5), "n": np.int64(7)}, {"snr": 1.5, "n": 7}, id="numbers of NumPy"),
        pytest.param({"path": Path("a/b.wav")}, {"path": "a/b.wav"}, id="path"),
        pytest.param({"at": dt.date(2024, 1, 13)}, {"at": "2024-01-13"}, id="date"),
        pytest.param({"nan": float("nan")}, {"nan": None}, id="not a number"),
        pytest.param({"name": "a\udc80"}, {"name": "a?"}, id="lone surrogate"),
        pytest.param({"big": 2**80}, {"big": 2**80}, id="integer beyond 64 bits"),
        pytest.param({1: "a"}, {"1": "a"}, id="number as key"),
    ],
)
def test_a_response_becomes_the_json_that_says_the_same(response: Any, expected: Any) -> None:
    assert json.loads(encode_response(response)) == expected


@pytest.mark.parametrize("response", [Unprintable(), {"object": Unprintable()}, {(1, 2): Unprintable()}])
def test_an_object_that_fails_when_looked_at_becomes_something(response: Any) -> None:
    json.loads(encode_response(response))


def test_a_response_in_a_circle_becomes_text() -> None:
    circle: dict[str, Any] = {}
    circle["self"] = circle
    assert isinstance(json.loads(encode_response(circle)), str)


def test_a_response_too_large_for_a_record_keeps_its_status_and_says_its_size() -> None:
    response = json.loads(encode_response({"status": "success", "text": "x" * MOST_BYTES}))
    assert response == {"status": "success", "headway": "response too large", "bytes": MOST_BYTES + 30}


def test_an_error_is_described_by_type_message_and_the_end_of_its_traceback() -> None:
    try:
        recurse(1_000_000)
    except RecursionError as error:
        described = describe_error(error)
    assert described["status"] == "error"
    assert described["type"] == "RecursionError"
    assert "recursion" in described["message"]
    assert len(described["traceback"]) <= MOST_TRACEBACK_CHARACTERS
    assert described["traceback"].rstrip().endswith(described["message"])


def test_an_error_that_cannot_say_what_it_is_is_described_all_the_same() -> None:
    class Silent(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    assert describe_error(Silent())["message"] == "<Silent that cannot be shown>"


def test_an_error_that_is_neither_exception_nor_text_is_refused_by_its_name() -> None:
    with pytest.raises(InvalidArgument, match=r"^error: expected an exception or text, got 5$"):
        describe_error(5)  # type: ignore[arg-type]


def recurse(depth: int) -> None:
    """Fail with a long traceback."""
    recurse(depth - 1)
