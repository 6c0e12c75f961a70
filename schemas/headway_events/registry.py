"""The records of the registry topic: which batches exist, and what people call them.

The topic is compacted by batch, so a record may be the only one left: readers merge what it says into what they know
(a field that is absent says nothing), and never take absence for a change.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from headway_events.errors import HeadwayError
from headway_events.events import BatchId, Timestamp


class BadAnnouncement(HeadwayError, ValueError):
    """The record of the registry topic is not a batch's announcement."""


class Announcement(msgspec.Struct, rename="camel", kw_only=True, frozen=True, omit_defaults=True):
    """A batch exists, and has this topic."""

    batch_id: BatchId
    topic: str
    created_at: Timestamp | None = None
    name: str | None = None
    labels: dict[str, str] = {}
    closed_at: datetime | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Announcement)


def encode_announcement(announcement: Announcement) -> bytes:
    """The value of the registry topic's record."""
    return _encoder.encode(announcement)


def decode_announcement(value: bytes) -> Announcement:
    """The announcement in a record of the registry topic.

    Raises:
        BadAnnouncement: the value is none; the message says why and where.
    """
    try:
        return _decoder.decode(value)
    except (ValueError, RecursionError) as error:
        raise BadAnnouncement(str(error)) from error
