"""Server-Sent Events as bytes. Pure: values in, frames out.

Lines end with LF alone. Data that has line ends of its own becomes several `data` lines, which the client joins with
LF: to JSON, whose line ends are white space, the same.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
from headway_events import Event
from headway_events.events import FILE_EVENTS, BatchComplete, FileComplete, StageStart
from msgspec import UNSET, Raw, UnsetType

HEARTBEAT: Final = b":\n\n"

_DATA: Final = b"data: "
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")


class _Status(msgspec.Struct):
    status: Raw | UnsetType = UNSET


_status_decoder: Final = msgspec.json.Decoder(_Status)


class Frame(NamedTuple):
    """Where one event stands in the bytes of its chunk."""

    offset: int
    event_type: str
    stage: str | None
    begin: int
    data: int
    end: int


class Chunk(NamedTuple):
    """Consecutive records of one topic, encoded once for all who want them.

    Offsets from `first_offset` to below `next_offset` are in it; those that are no events have no frame.
    """

    first_offset: int
    next_offset: int
    encoded: bytes
    frames: list[Frame]
    closed: bool | None  # whether the batch is closed after it; None when nothing in it says


def encode_chunk(events: list[tuple[int, Event, bytes]], first_offset: int, next_offset: int) -> Chunk:
    """Encode events (offset, event, the record's value) that are all that is to be sent of a range of offsets."""
    parts: list[bytes] = []
    frames: list[Frame] = []
    closed: bool | None = None
    position = 0
    for offset, event, value in events:
        event_type = event.event_type
        head = b"id: %d\nevent: %b\n" % (offset, event_type.encode())
        body = _data_lines(with_status(event, value))
        parts += head, body
        data = position + len(head)
        end = data + len(body)
        stage = None if isinstance(event, BatchComplete) else event.stage
        frames.append(Frame(offset, event_type, stage, position, data, end))
        position = end
        if isinstance(event, BatchComplete):
            closed = True
        elif isinstance(event, StageStart):
            closed = False
    return Chunk(first_offset, next_offset, b"".join(parts), frames, closed)


def with_status(event: Event, value: bytes) -> bytes:
    """The record's JSON, and for a file's event its `status` as last member, unless the record has one itself."""
    if not isinstance(event, FILE_EVENTS):
        return value
    if b'"status"' in value and _status_decoder.decode(value).status is not UNSET:
        return value
    status = b"success" if isinstance(event, FileComplete) else b"error"
    return b'%b,"status":"%b"}' % (value.rstrip()[:-1], status)


def message(*, event: str, data: bytes, event_id: bytes | None = None, enveloped: bool = False) -> bytes:
    """A message of the gateway's own: `snapshot`, `reset`, `progress`."""
    head = b"" if event_id is None else b"id: %b\n" % event_id
    if enveloped:
        return b'%bdata: {"event":"%b","data":%b}\n\n' % (head, event.encode(), data)
    return b"%bevent: %b\n%b" % (head, event.encode(), _data_lines(data))


def messages(named: Sequence[tuple[str, bytes]], event_id: bytes, *, enveloped: bool) -> bytes:
    """Messages of the gateway's own that belong together: only the last has the id, as who gets it has them all."""
    last = len(named) - 1
    return b"".join(
        message(event=name, data=data, event_id=event_id if number == last else None, enveloped=enveloped)
        for number, (name, data) in enumerate(named)
    )


def place(event_id: bytes) -> bytes:
    """Where the client stands, without a message: it resumes there."""
    return b"id: %b\n\n" % event_id


def retry(milliseconds: int) -> bytes:
    """How long the client shall wait before it connects again."""
    return b"retry: %d\n\n" % milliseconds


def plain(chunk: Chunk, frame: Frame, event_id: bytes | None = None) -> bytes:
    """A frame as it is, or with another id."""
    if event_id is None:
        return chunk.encoded[frame.begin : frame.end]
    return b"id: %b\nevent: %b\n%b" % (event_id, frame.event_type.encode(), chunk.encoded[frame.data : frame.end])


def envelope(chunk: Chunk, frame: Frame, event_id: bytes | None = None) -> bytes:
    """A frame for clients that only know `onmessage`: no event name, and the data wrapped with it."""
    lines = chunk.encoded[frame.data + len(_DATA) : frame.end - 2]
    return b'id: %b\ndata: {"event":"%b","data":%b}\n\n' % (
        event_id or b"%d" % frame.offset,
        frame.event_type.encode(),
        lines,
    )


def data_of(chunk: Chunk, frame: Frame) -> bytes:
    """The data of a frame as the client reads it."""
    return chunk.encoded[frame.data + len(_DATA) : frame.end - 2].replace(b"\n" + _DATA, b"\n")


def _data_lines(data: bytes) -> bytes:
    if b"\n" not in data and b"\r" not in data:
        return b"data: %b\n\n" % data
    return b"".join(b"data: %b\n" % line for line in _LINE_END.split(data)) + b"\n"
