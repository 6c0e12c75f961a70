"""Announcements, and what is none."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from headway_events import Announcement, BadAnnouncement, decode_announcement, encode_announcement


def test_an_announcement_encoded_decodes_to_itself() -> None:
    announcement = Announcement(
        batch_id=-(2**63),
        topic="headway-batch-1",
        created_at=datetime(2024, 1, 13, tzinfo=UTC),
        name="Monday's calls",
        labels={"customer": "Ærø"},
        closed_at=datetime(2024, 1, 14, tzinfo=UTC),
    )

    assert decode_announcement(encode_announcement(announcement)) == announcement


def test_fields_of_newer_producers_are_ignored() -> None:
    assert decode_announcement(b'{"batchId":1,"topic":"t","owner":"me"}') == Announcement(batch_id=1, topic="t")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "The record has no value"),
        (b"", "Input data was truncated"),
        (b"[]", "Expected `object`, got `array`"),
        (b'{"batchId":1,"topic":"t","unknown":' + b"[" * 100_000, "recursion"),
        (b'{"batchId":1}', "Object missing required field `topic`"),
        (b'{"batchId":1,"topic":"t","name":"\\u0000"}', "at `$.name`"),
        (b'{"batchId":1,"topic":"t","labels":{"a":"\\u0000"}}', "at `$.labels[...]`"),
        (b'{"batchId":1,"topic":"t","labels":{"\\u0000":"a"}}', "at `key` in `$.labels`"),
        (b'{"batchId":1,"topic":"t","closedAt":"2024-01-13T10:00:00"}', "at `$.closedAt`"),
        (b'{"batchId":1,"topic":"t","createdAt":"9999-12-31T23:59:59Z"}', "at `$.createdAt`"),
    ],
)
def test_a_record_that_is_no_announcement_is_refused_with_what_and_where(value: bytes | None, message: str) -> None:
    with pytest.raises(BadAnnouncement) as refused:
        decode_announcement(value)

    assert message in str(refused.value)
