"""Frames are what the WHATWG standard's parser turns back into the event."""

from __future__ import annotations

import json

import pytest
from headway_events import Event, decode
from headway_gateway import sse


def parsed(frames: bytes) -> list[dict[str, str]]:
    """A parser by the letter of the standard: any line end, `data` lines joined by LF, dispatch at an empty line."""
    text = frames.decode().replace("\r\n", "\n").replace("\r", "\n")
    messages = []
    for block in text.split("\n\n"):
        message: dict[str, list[str]] = {}
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            message.setdefault(name, []).append(value.removeprefix(" "))
        if "data" in message:
            messages.append({name: "\n".join(values) for name, values in message.items()})
    return messages


def chunk_of(*values: bytes) -> sse.Chunk:
    events: list[tuple[int, Event, bytes]] = [
        (offset, decode(value, batch_id=1), value) for offset, value in enumerate(values)
    ]
    return sse.encode_chunk(events, 0, len(values))


FILE = b'{"eventType":"file_complete","batchId":1,"stage":"s","fileName":"%b"%b}'


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("é\u2028\u2029😀", id="not ASCII, and line ends of JavaScript"),
        pytest.param("a\\nb\\rc", id="escaped line ends"),
        pytest.param("x" * 1000, id="long"),
        pytest.param(": id: 7", id="like a field"),
    ],
)
def test_a_frame_gives_back_the_record_with_its_status(name: str) -> None:
    value = FILE % (name.encode(), b"")
    (message,) = parsed(chunk_of(value).encoded)
    assert message["id"] == "0"
    assert message["event"] == "file_complete"
    assert message["data"] == value.decode()[:-1] + ',"status":"success"}'


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_line_ends_between_the_fields_of_a_record_become_data_lines(line_end: bytes) -> None:
    value = line_end.join([b"{", b'"eventType":"stage_start",', b'"batchId":1,"stage":"s"', b"}"])
    (message,) = parsed(chunk_of(value).encoded)
    assert json.loads(message["data"]) == json.loads(value)


def test_a_status_of_the_record_itself_is_left_alone() -> None:
    value = FILE % (b"a", b',"status":"odd"')
    (message,) = parsed(chunk_of(value).encoded)
    assert message["data"] == value.decode()


def test_a_status_within_the_response_is_not_the_records() -> None:
    value = FILE % (b"a", b',"response":{"status":"fine"}')
    (message,) = parsed(chunk_of(value).encoded)
    assert json.loads(message["data"])["status"] == "success"


def test_white_space_after_a_record_does_not_break_its_status() -> None:
    (message,) = parsed(chunk_of(FILE % (b"a", b"") + b" \n").encoded)
    assert json.loads(message["data"])["status"] == "success"


def test_an_enveloped_frame_has_no_event_field_and_holds_type_and_data() -> None:
    chunk = chunk_of(FILE % (b"a", b""), b'{"eventType":"batch_complete",\n"batchId":1}')
    messages = parsed(b"".join(sse.envelope(chunk, frame) for frame in chunk.frames))
    assert ["event" in message for message in messages] == [False, False]
    assert [json.loads(message["data"])["event"] for message in messages] == ["file_complete", "batch_complete"]
    assert json.loads(messages[0]["data"])["data"]["fileName"] == "a"


def test_a_chunk_knows_whether_the_batch_is_closed_after_it() -> None:
    start, end = b'{"eventType":"stage_start","batchId":1,"stage":"s"}', b'{"eventType":"batch_complete","batchId":1}'
    assert chunk_of(FILE % (b"a", b"")).closed is None
    assert chunk_of(start, end).closed is True
    assert chunk_of(end, FILE % (b"a", b"")).closed is True
    assert chunk_of(end, start).closed is False


def test_a_megabyte_is_one_message() -> None:
    value = FILE % (b"a", b',"response":"' + b"x" * 1_000_000 + b'"')
    (message,) = parsed(chunk_of(value).encoded)
    assert len(message["data"]) > 1_000_000
