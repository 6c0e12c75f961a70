"""Events to records and back; what is refused, and in which words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from headway_events import (
    BadEvent,
    BatchComplete,
    Event,
    FileComplete,
    InvalidField,
    MalformedRecord,
    StageStart,
    UnknownEventType,
    WrongBatch,
    decode,
    encode,
    headers,
    key,
)
from headway_events.wire import MAX_DEPTH
from hypothesis import given
from msgspec import Raw

from support.histories import BATCH_ID, events

AT = datetime(2024, 1, 13, 10, 0, 1, tzinfo=UTC)
FILE = b'{"eventType":"file_complete","batchId":123,"stage":"denoise","fileName":"a.wav","response":%s}'


@given(event=events())
def test_an_event_encoded_decodes_to_itself(event: Event) -> None:
    assert decode(encode(event), batch_id=BATCH_ID) == event


def test_the_value_is_compact_json_without_what_is_not_known() -> None:
    start = StageStart(batch_id=123, stage="denoise", total_files=500, timestamp=AT)

    assert encode(start) == (
        b'{"eventType":"stage_start","batchId":123,"timestamp":"2024-01-13T10:00:01Z","stage":"denoise","totalFiles":500}'
    )


def test_the_headers_are_those_of_the_cloud_events_binding() -> None:
    start = StageStart(batch_id=123, stage="denoise", timestamp=AT)

    assert headers(start, source="/worker-7/4711", event_id="e-1") == [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"e-1"),
        ("ce_source", b"/worker-7/4711"),
        ("ce_type", b"headway.stage_start"),
        ("ce_time", b"2024-01-13T10:00:01+00:00"),
        ("content-type", b"application/json"),
    ]


def test_every_record_has_an_id_of_its_own() -> None:
    event = BatchComplete(batch_id=123)

    assert dict(headers(event, source="/w"))["ce_id"] != dict(headers(event, source="/w"))["ce_id"]


def test_the_key_is_the_stage_and_that_of_a_batch_event_is_none() -> None:
    assert key(StageStart(batch_id=123, stage="dé")) == "dé".encode()
    assert key(BatchComplete(batch_id=123)) is None


def test_the_response_is_kept_byte_for_byte() -> None:
    response = b'{ "a" : 1.10, "a": "\\u00e9", "big": 123456789012345678901234567890 }'
    event = decode(FILE % response, batch_id=123)

    assert isinstance(event, FileComplete)
    assert bytes(event.response) == response  # type: ignore[arg-type]


def test_an_event_without_a_time_takes_that_of_its_record() -> None:
    event = decode(b'{"eventType":"batch_complete","batchId":123}', batch_id=123, recorded_ms=1_705_140_001_000)

    assert event.timestamp == AT


def test_an_event_with_a_time_keeps_it() -> None:
    assert decode(encode(BatchComplete(batch_id=123, timestamp=AT)), batch_id=123, recorded_ms=0).timestamp == AT


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (None, MalformedRecord, "The record has no value"),
        (b"", MalformedRecord, "Input data was truncated"),
        (b"oops", MalformedRecord, "JSON is malformed: invalid character (byte 0)"),
        (b'{"eventType":"batch_complete"', MalformedRecord, "Input data was truncated"),
        (b'["batch_complete"]', MalformedRecord, "Expected `object`, got `array`"),
        (FILE % b'"\xff"', MalformedRecord, "'utf-8' codec can't decode byte 0xff in position 92: invalid start byte"),
        (FILE % b'"\n"', MalformedRecord, "JSON is malformed: invalid character (byte 92)"),
        (FILE % b"NaN", MalformedRecord, "JSON is malformed: invalid character (byte 91)"),
        (
            b'{"eventType":"stage_paused","batchId":123}',
            UnknownEventType,
            "Invalid value 'stage_paused' - at `$.eventType`; expected one of stage_start, file_complete, file_error, "
            "stage_progress, stage_complete, worker_heartbeat, batch_complete",
        ),
        (b'{"batchId":123}', InvalidField, "Object missing required field `eventType`"),
        (
            b'{"eventType":"stage_progress","batchId":123,"stage":"denoise"}',
            InvalidField,
            "Object missing required field `processedFiles`",
        ),
        (
            b'{"eventType":"stage_start","batchId":123,"stage":"denoise","totalFiles":"many"}',
            InvalidField,
            "Expected `int | null`, got `str` - at `$.totalFiles`",
        ),
        (
            b'{"eventType":"stage_start","batchId":123,"stage":"denoise","totalFiles":-1}',
            InvalidField,
            "Expected `int` >= 0 - at `$.totalFiles`",
        ),
        (
            b'{"eventType":"stage_start","batchId":123,"stage":""}',
            InvalidField,
            "Expected `str` of length >= 1 - at `$.stage`",
        ),
        (
            b'{"eventType":"stage_start","batchId":123,"stage":"a\\u0000"}',
            InvalidField,
            "Expected a name without NUL - at `$.stage`",
        ),
        (
            b'{"eventType":"file_error","batchId":123,"stage":"denoise","fileName":"\\u0000"}',
            InvalidField,
            "Expected a name without NUL - at `$.fileName`",
        ),
        (
            b'{"eventType":"file_error","batchId":123,"stage":"denoise","fileName":"a","gpuIp":"\\u0000"}',
            InvalidField,
            "Expected text without NUL - at `$.gpuIp`",
        ),
        (
            b'{"eventType":"file_error","batchId":123,"stage":"denoise","fileName":"a","worker":"\\u0000"}',
            InvalidField,
            "Expected a name without NUL - at `$.worker`",
        ),
        (
            b'{"eventType":"worker_heartbeat","batchId":123,"stage":"denoise","worker":"\\u0000"}',
            InvalidField,
            "Expected a name without NUL - at `$.worker`",
        ),
        (
            ('{"eventType":"file_error","batchId":123,"stage":"denoise","fileName":"' + "語" * 700 + '"}').encode(),
            InvalidField,
            "Expected at most 2048 bytes of UTF-8, got 2100 - at `$.fileName`",
        ),
        (
            b'{"eventType":"worker_heartbeat","batchId":123,"stage":"s","worker":"w","filesInFlight":["a","\\u0000"]}',
            InvalidField,
            "Expected a name without NUL - at `$.filesInFlight[1]`",
        ),
        (
            b'{"eventType":"worker_heartbeat","batchId":123,"stage":"denoise","worker":"' + b"w" * 256 + b'"}',
            InvalidField,
            "Expected `str` of length <= 255 - at `$.worker`",
        ),
        (
            b'{"eventType":"batch_complete","batchId":123,"timestamp":"2024-01-13T10:00:00"}',
            InvalidField,
            "Expected `datetime` with a timezone component - at `$.timestamp`",
        ),
        (
            b'{"eventType":"batch_complete","batchId":123,"timestamp":"1969-12-31T23:59:59Z"}',
            InvalidField,
            "Expected a year from 1970 to 9000, got 1969 - at `$.timestamp`",
        ),
        (b'{"eventType":"batch_complete","batchId":"123"}', InvalidField, "Expected `int`, got `str` - at `$.batchId`"),
        (
            b'{"eventType":"batch_complete","batchId":124}',
            WrongBatch,
            "Expected batchId 123, the topic's, got 124 - at `$.batchId`",
        ),
    ],
)
def test_a_record_that_is_no_event_is_refused_with_what_and_where(
    value: bytes | None, error: type[BadEvent], message: str
) -> None:
    with pytest.raises(BadEvent) as refused:
        decode(value, batch_id=123)

    assert type(refused.value) is error
    assert str(refused.value) == message


def test_every_way_to_be_a_bad_event_is_tried_above() -> None:
    mark = next(mark for mark in test_a_record_that_is_no_event_is_refused_with_what_and_where.pytestmark)  # type: ignore[attr-defined]

    assert {case[1] for case in mark.args[1]} == set(BadEvent.__subclasses__())


@pytest.mark.parametrize("recorded_ms", [-1, 253_402_300_799_999, 2**63 - 1, -(2**63)])
def test_a_record_whose_own_time_is_out_of_range_is_refused(recorded_ms: int) -> None:
    with pytest.raises(InvalidField, match=r"at `\$\.timestamp`$"):
        decode(b'{"eventType":"batch_complete","batchId":123}', batch_id=123, recorded_ms=recorded_ms)


@pytest.mark.parametrize(
    ("opening", "closing", "levels"), [(b"[", b"]", 1), (b'{"a":', b"}", 1), (b'[{"a":', b"}]", 2)]
)
def test_json_is_read_to_its_greatest_depth_and_no_deeper(opening: bytes, closing: bytes, levels: int) -> None:
    deepest = (MAX_DEPTH - 1) // levels  # the event itself is the first level
    decode(FILE % (opening * deepest + b"1" + closing * deepest), batch_id=123)

    too_deep = deepest + 1
    with pytest.raises(MalformedRecord, match=f"nested more than {MAX_DEPTH} deep"):
        decode(FILE % (opening * too_deep + b"1" + closing * too_deep), batch_id=123)


def test_brackets_in_text_and_beside_one_another_are_not_depth() -> None:
    decode(FILE % (b'"' + b'[\\"{' * 1000 + b'"'), batch_id=123)
    decode(FILE % (b"[" + b'{"a":[]},' * 1000 + b"1]"), batch_id=123)


@pytest.mark.parametrize(
    "event",
    [
        StageStart(batch_id=123, stage=""),
        StageStart(batch_id="123", stage="denoise"),  # type: ignore[arg-type]
        StageStart(batch_id=2**63, stage="denoise"),
        StageStart(batch_id=123, stage="denoise", total_files=1.5),  # type: ignore[arg-type]
        StageStart(batch_id=123, stage=object()),  # type: ignore[arg-type]
        StageStart(batch_id=123, stage="denoise", timestamp=datetime(2024, 1, 13)),
        FileComplete(batch_id=123, stage="denoise", file_name="\udcff.wav"),
        FileComplete(batch_id=123, stage="denoise", file_name="a.wav", response=Raw(b"{")),
    ],
)
def test_an_event_that_breaks_its_own_types_is_not_written(event: Event) -> None:
    with pytest.raises(BadEvent):
        encode(event)


@pytest.mark.parametrize("extra", [{"priority": "high"}, {"nested": {"a": [1, 2]}}, {"total_files": 1}])
def test_fields_of_newer_producers_are_ignored(extra: dict[str, Any]) -> None:
    known = {"eventType": "stage_start", "batchId": 123, "stage": "denoise", "totalFiles": 500}

    assert decode(msgspec.json.encode(known | extra), batch_id=123) == StageStart(
        batch_id=123, stage="denoise", total_files=500
    )
