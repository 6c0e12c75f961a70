"""Whatever the bytes of a record, `decode` gives an event that every reader can take, or a BadEvent."""

from __future__ import annotations

import json
import time

import pytest
from headway_events import BadEvent, Event, decode
from hypothesis import example, given, settings
from hypothesis import strategies as st

from support.counts import fold_in_python

FILE = b'{"eventType":"file_complete","batchId":123,"stage":"denoise","fileName":"a.wav","response":%s}'
SEEDS = [
    FILE % b'{"status":"success","text":"\\u00e9\\ud83c\\udfa7","list":[1,-2.5e3,true,null]}',
    b'{"eventType":"stage_start","batchId":123,"timestamp":"2024-01-13T10:00:00Z","stage":"denoise","totalFiles":5}',
    b'{"eventType":"stage_complete","batchId":123,"stage":"denoise","processedFiles":4,"failedFiles":1}',
    '{"eventType":"worker_heartbeat","batchId":123,"stage":"音","worker":"w","filesInFlight":["🎧"]}'.encode(),
    b'{"eventType":"batch_complete","batchId":123}',
]
TOKENS = [
    b'"',
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"-",
    b"1e999",
    b"NaN",
    b"null",
    b"\\ud800",
    b"\0",
    b"\n",
    b"\xff",
]

hostile = settings(max_examples=500)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A valid record with some places overwritten, cut or filled."""
    value = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(value)))
        end = draw(st.integers(start, min(len(value), start + 8)))
        value = value[:start] + draw(st.sampled_from(TOKENS) | st.binary(max_size=4)) + value[end:]
    return value


@hostile
@given(value=st.binary(max_size=200) | damaged(), recorded_ms=st.none() | st.integers(-(2**63), 2**63 - 1))
@example(value=FILE % (b'"' + b'\\"' * 1000), recorded_ms=None)
def test_any_bytes_are_an_event_or_a_bad_event(value: bytes, recorded_ms: int | None) -> None:
    decode_or_none(value, recorded_ms)


@hostile
@given(value=damaged())
def test_what_is_accepted_is_json_that_every_reader_accepts(value: bytes) -> None:
    if decode_or_none(value) is not None:
        parsed = json.loads(value, parse_constant=refuse, parse_int=str)
        assert isinstance(parsed, dict)


@hostile
@given(values=st.lists(damaged(), max_size=10))
def test_whatever_was_accepted_can_be_counted(values: list[bytes]) -> None:
    events = [event for event in map(decode_or_none, values) if event is not None]

    fold_in_python(events)


@pytest.mark.parametrize(
    "response",
    [
        b"[" * 500_000,
        b"[" * 400_000 + b"]" * 400_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'"' + b'\\"' * 400_000,
        b"[" * 300 + b'"' + b'\\"' * 400_000,
        b"[" * 250 + (b"[" * 5 + b"]" * 5 + b",") * 70_000 + b"1" + b"]" * 250,
    ],
    ids=["unclosed", "nested", "objects", "unclosed text", "unclosed text in arrays", "wide and deep"],
)
def test_a_record_made_to_take_long_does_not(response: bytes) -> None:
    began = time.process_time()

    decode_or_none(FILE % response)

    assert time.process_time() - began < 1


def decode_or_none(value: bytes, recorded_ms: int | None = None) -> Event | None:
    try:
        return decode(value, batch_id=123, recorded_ms=recorded_ms)
    except BadEvent:
        return None


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")
