"""Every record ever written stays readable, and means what it meant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import compatibility
import jsonschema
import msgspec
import pytest
from headway_events import (
    EVENT_TYPES,
    Announcement,
    WrongBatch,
    decode,
    decode_announcement,
    encode,
    encode_announcement,
    headers,
    key,
    registry_key,
)
from headway_events.dead_letters import dead_letter_headers

FOLDER = Path(__file__).parents[3] / "schemas" / "golden"
GOLDEN: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.json"))
}
EVENTS = {name: record for name, record in GOLDEN.items() if record["channel"] == "batch"}
ANNOUNCEMENTS = {name: record for name, record in GOLDEN.items() if record["channel"] == "registry"}

events = pytest.mark.parametrize("record", EVENTS.values(), ids=EVENTS.keys())
announcements = pytest.mark.parametrize("record", ANNOUNCEMENTS.values(), ids=ANNOUNCEMENTS.keys())


@events
def test_an_event_reads_as_it_was_written(record: dict[str, Any]) -> None:
    written = record["value"]
    event = decode(as_written(written), batch_id=written["batchId"])

    assert event.event_type == written["eventType"]
    for field in msgspec.structs.fields(type(event)):
        assert plain(getattr(event, field.name), field.default) == written.get(field.encode_name)


@events
def test_an_event_is_written_again_byte_for_byte(record: dict[str, Any]) -> None:
    value = as_written(record["value"])

    assert encode(decode(value, batch_id=123)) == value


@events
def test_an_event_has_the_key_and_headers_it_had(record: dict[str, Any]) -> None:
    event = decode(as_written(record["value"]), batch_id=123)
    had = dict(record["headers"])

    assert key(event) == (record["key"].encode() if record["key"] else None)
    assert headers(event, source=had["ce_source"], event_id=had["ce_id"]) == [
        (name, text.encode()) for name, text in record["headers"]
    ]


@pytest.mark.parametrize("release", compatibility.releases(), ids=lambda path: path.name)
def test_readers_of_a_release_take_what_is_written_today(release: Path) -> None:
    schema = json.loads((release / "events.schema.json").read_text("utf-8"))
    known = [record for record in EVENTS.values() if record["value"]["eventType"] in schema["discriminator"]["mapping"]]
    assert len(known) >= 18
    for record in known:
        jsonschema.Draft202012Validator(schema).validate(record["value"])


@announcements
def test_an_announcement_is_written_again_byte_for_byte(record: dict[str, Any]) -> None:
    value = as_written(record["value"])
    announcement = decode_announcement(value)

    assert encode_announcement(announcement) == value
    assert registry_key(announcement.batch_id) == record["key"].encode()


def test_a_dead_letter_has_the_headers_it_had() -> None:
    record = GOLDEN["dead_letter"]
    with pytest.raises(WrongBatch) as refused:
        decode(record["value"].encode(), batch_id=123)

    assert dead_letter_headers(
        topic="headway-batch-123", offset=41, error=type(refused.value).__name__, message=str(refused.value)
    ) == [(name, text.encode()) for name, text in record["headers"]]


@pytest.mark.parametrize("kind", [*EVENT_TYPES.values(), Announcement])
def test_every_field_is_in_a_golden_record_and_every_optional_one_missing_from_another(kind: type) -> None:
    records = ANNOUNCEMENTS if kind is Announcement else EVENTS
    tag = kind.__struct_config__.tag  # type: ignore[attr-defined]
    values = [record["value"] for record in records.values() if record["value"].get("eventType") == tag]
    for field in msgspec.structs.fields(kind):
        assert any(field.encode_name in value for value in values), field.encode_name
        if not field.required and field.name != "timestamp":  # EventLogger has always written the time
            assert any(field.encode_name not in value for value in values), field.encode_name


def as_written(value: dict[str, Any]) -> bytes:
    """The bytes in the topic: compact, in UTF-8, fields in the order of the golden record."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def plain(value: Any, default: Any) -> Any:
    """A decoded field as JSON has it; None where the record leaves it out."""
    if value is msgspec.UNSET or (value == [] and default is msgspec.NODEFAULT):
        return None
    return json.loads(bytes(value)) if isinstance(value, msgspec.Raw) else msgspec.to_builtins(value)
