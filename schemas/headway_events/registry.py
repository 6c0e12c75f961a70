"""The records of the registry topic: which batches exist, and what people call them.

The topic is compacted by batch, so a record may be the only one left: readers merge what it says into what they know
(a field that is absent says nothing), and never take absence for a change.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from headway_events.errors import HeadwayError
from headway_events.events import BatchId, Timestamp
from headway_events.wire import check_year

Text: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[^\x00]*$", description="Text without NUL.")]


class BadAnnouncement(HeadwayError, ValueError):
    """The record of the registry topic is not a batch's announcement."""


class Announcement(msgspec.Struct, rename="camel", kw_only=True, frozen=True, omit_defaults=True):
    """A batch exists, and has this topic."""

    batch_id: BatchId
    topic: Text
    created_at: Timestamp | None = None
    name: Text | None = None
    labels: dict[Text, Text] = {}
    closed_at: Timestamp | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Announcement)


def encode_announcement(announcement: Announcement) -> bytes:
    """The value of the registry topic's record."""
    return _encoder.encode(announcement)


def decode_announcement(value: bytes | None) -> Announcement:
    """The announcement in a record of the registry topic; None is a tombstone, which announces nothing.

    Raises:
        BadAnnouncement: the value is none; the message says why and where.
    """
    if value is None:
        raise BadAnnouncement("The record has no value")
    try:
        announcement = _decoder.decode(value)
        for path, when in (("$.createdAt", announcement.created_at), ("$.closedAt", announcement.closed_at)):
            if when is not None:
                check_year(when, path)
    except (ValueError, RecursionError) as error:
        raise BadAnnouncement(str(error)) from error
    return announcement
