"""Event to record and back: the JSON value, the key and the CloudEvents headers.

No Kafka here: a record is bytes. `decode` is the one place that decides whether a record is an event; the projector,
the gateway and the command line all refuse the same records for the same reason.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

import msgspec

from headway_events.errors import BadEvent, InvalidField, MalformedRecord, UnknownEventType, WrongBatch
from headway_events.events import (
    EVENT_TYPES,
    FILE_EVENTS,
    MAX_FILE_NAME_BYTES,
    MAX_FILE_NAME_LENGTH,
    BatchComplete,
    Event,
    WorkerHeartbeat,
)

CE_TYPE_PREFIX: Final = "headway."
FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 9000  # leaves room for every offset from UTC below Python's last year
MAX_DEPTH: Final = 256  # arrays and objects inside one another; arbitrary, far below Python's recursion limit of 1,000

_JSON_STRING: Final = re.compile(rb'"(?:[^"\\]+|\\.)*"?', re.DOTALL)  # closed or not: it never has to go back
_BRACKETS: Final = bytes.maketrans(b"{}", b"[]")
_NO_BRACKET: Final = bytes(set(range(256)) - set(b"[]{}"))

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


def encode(event: Event) -> bytes:
    """The record's value: one JSON object in UTF-8, fields in a fixed order, defaults left out.

    Raises:
        BadEvent: the event's own types were not kept, so that `decode` would refuse it.
    """
    try:
        value = _encoder.encode(event)
    except (TypeError, UnicodeEncodeError) as error:  # such as a file name that is not Unicode on disk
        raise InvalidField(f"The event has no form in JSON: {error}") from error
    decode(value, batch_id=event.batch_id)
    return value


def key(event: Event) -> bytes | None:
    """The record's key: the stage, or none for an event of the whole batch."""
    return None if isinstance(event, BatchComplete) else event.stage.encode()


def headers(event: Event, *, source: str, event_id: str | None = None) -> list[tuple[str, bytes]]:
    """The record's headers: `cloud_event_headers` with a random UUID where no `event_id` is given."""
    happened = event.timestamp or datetime.now(UTC)
    return cloud_event_headers(
        event.event_type, source=source, event_id=event_id or str(uuid4()), time=happened.isoformat()
    )


def cloud_event_headers(event_type: str, *, source: str, event_id: str, time: str) -> list[tuple[str, bytes]]:
    """The headers of an event's record in the binary mode of the CloudEvents Kafka binding, version 1.0.2.

    Args:
        event_type: the eventType.
        source: a URI-reference that names the producer, such as `/worker-7/4711`.
        event_id: unique with `source`.
        time: when it happened, in RFC 3339.
    """
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", event_id.encode()),
        ("ce_source", source.encode()),
        ("ce_type", (CE_TYPE_PREFIX + event_type).encode()),
        ("ce_time", time.encode()),
        ("content-type", b"application/json"),
    ]


def decode(value: bytes | None, *, batch_id: int, recorded_ms: int | None = None) -> Event:
    """The event in a record's value.

    Args:
        value: the record's value; None is a tombstone, which is no event.
        batch_id: the batch whose topic the record is in.
        recorded_ms: the Kafka record's timestamp in milliseconds since 1970, for an event that has none of its own.

    Raises:
        BadEvent: the record is not an event; the subclass and message say why and where.
    """
    if value is None:
        raise MalformedRecord("The record has no value")
    if len(value) > 2 * MAX_DEPTH:  # a level takes two bytes
        _check_depth(value)
    try:
        if not value.isascii():
            value.decode()  # inside `response` the decoder below skips text without looking at its UTF-8
        event = _decoder.decode(value)
    except (ValueError, RecursionError) as error:
        raise _reason(value, error) from error
    if event.batch_id != batch_id:
        raise WrongBatch(event.batch_id, batch_id)
    _check_text(event)
    if event.timestamp is None and recorded_ms is not None:
        event = _stamped(event, recorded_ms)
    if event.timestamp is not None and not FIRST_YEAR <= event.timestamp.year <= LAST_YEAR:
        check_year(event.timestamp, "$.timestamp")
    return event


def check_year(when: datetime, path: str) -> None:
    """Refuse a time so far off that arithmetic with it, or its form in another time zone, would overflow.

    Raises:
        InvalidField: the year is out of range; the message names `path`.
    """
    if not FIRST_YEAR <= when.year <= LAST_YEAR:
        raise InvalidField(f"Expected a year from {FIRST_YEAR} to {LAST_YEAR}, got {when.year} - at `{path}`")


def _check_depth(value: bytes) -> None:
    """Refuse JSON nested so deeply that readers would differ: Python's limit depends on where it is called from."""
    if value.count(b"[") + value.count(b"{") <= MAX_DEPTH:
        return
    brackets = _JSON_STRING.sub(b"", value).translate(_BRACKETS, _NO_BRACKET)
    for _ in range(MAX_DEPTH):
        brackets, before = brackets.replace(b"[]", b""), brackets  # the innermost pairs, one level
        if brackets == before:  # nothing left, or unbalanced: the decoder says where
            return
    if b"[]" in brackets:
        raise MalformedRecord(f"The record's JSON is nested more than {MAX_DEPTH} deep")


def _check_text(event: Event) -> None:
    """Refuse names that no Postgres text or index can hold."""
    if isinstance(event, BatchComplete):
        return
    if "\0" in event.stage:
        raise InvalidField("Expected a name without NUL - at `$.stage`")
    if isinstance(event, FILE_EVENTS):
        _check_file_name(event.file_name, "$.fileName")
        if event.gpu_ip is not None and "\0" in event.gpu_ip:
            raise InvalidField("Expected text without NUL - at `$.gpuIp`")
    elif isinstance(event, WorkerHeartbeat):
        if "\0" in event.worker:
            raise InvalidField("Expected a name without NUL - at `$.worker`")
        for place, name in enumerate(event.files_in_flight):
            _check_file_name(name, f"$.filesInFlight[{place}]")


def _check_file_name(name: str, path: str) -> None:
    if "\0" in name:
        raise InvalidField(f"Expected a name without NUL - at `{path}`")
    if len(name) > MAX_FILE_NAME_LENGTH // 2 and len(name.encode()) > MAX_FILE_NAME_BYTES:
        raise InvalidField(
            f"Expected at most {MAX_FILE_NAME_BYTES} bytes of UTF-8, got {len(name.encode())} - at `{path}`"
        )


def _stamped(event: Event, recorded_ms: int) -> Event:
    try:
        happened = datetime.fromtimestamp(recorded_ms / 1000, UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise InvalidField(f"No timestamp, and the record's own is {recorded_ms} ms - at `$.timestamp`") from error
    return msgspec.structs.replace(event, timestamp=happened)


def _reason(value: bytes, error: Exception) -> BadEvent:
    """Which BadEvent a failure of the decoder is; a second, untyped look at the bytes tells the kinds apart."""
    message = str(error)
    if isinstance(error, RecursionError):
        return MalformedRecord("The record's JSON is nested too deeply")
    if not isinstance(error, msgspec.ValidationError):
        return MalformedRecord(message)
    if message.endswith("at `$.eventType`"):
        return UnknownEventType(f"{message}; expected one of {', '.join(EVENT_TYPES)}")
    if message.startswith("Expected `object`"):
        return MalformedRecord(message)
    return InvalidField(message)
