"""Where a stream begins: the request's words read, and held against the offsets that there are. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Final

from headway_gateway.errors import InvalidParameter

_ID: Final = re.compile(r"-1|0|[1-9][0-9]{0,18}")
_OFFSET: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_LARGEST: Final = 2**63 - 1


class Beginning(Enum):
    """The beginnings that have a name."""

    EARLIEST = "earliest"
    LATEST = "latest"
    SNAPSHOT = "snapshot"


@dataclass(frozen=True)
class After:
    """After the event of this id: a client resumes."""

    last_event_id: int


@dataclass(frozen=True)
class At:
    """At this offset."""

    offset: int


@dataclass(frozen=True)
class Since:
    """At the first record whose timestamp is this or later."""

    timestamp: datetime


Start = Beginning | After | At | Since


@dataclass(frozen=True)
class Reset:
    """The position asked for cannot be honoured; the stream begins at `offset` instead."""

    reason: str
    requested: int
    offset: int


def batch_id(text: str | None) -> int:
    """The batch of a request.

    Raises:
        InvalidParameter: it is missing or no signed 64-bit integer.
    """
    try:
        number = int(text or "")
    except ValueError:
        number = None
    if number is None or str(number) != text or not -(2**63) <= number <= _LARGEST:
        raise InvalidParameter("batchId", text or "", "a signed 64-bit integer")
    return number


def start(query: Mapping[str, str], last_event_id: str | None) -> Start:
    """Where the request wants to begin: the `Last-Event-ID` header, else `lastEventId`, else `from`, else the earliest.

    Raises:
        InvalidParameter: what it says cannot be read.
    """
    if last_event_id:  # a browser sends an empty one when it has none
        return After(_id("Last-Event-ID", last_event_id))
    if "lastEventId" in query:
        return After(_id("lastEventId", query["lastEventId"]))
    text = query.get("from", "earliest")
    try:
        return Beginning(text)
    except ValueError:
        pass
    if _OFFSET.fullmatch(text) and int(text) <= _LARGEST:
        return At(int(text))
    try:
        timestamp = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidParameter("from", text, "earliest, latest, snapshot, an offset or an ISO 8601 timestamp") from None
    return Since(timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC))


def offset(wanted: After | At) -> int:
    """The offset that is asked for."""
    return wanted.last_event_id + 1 if isinstance(wanted, After) else wanted.offset


def resolve(wanted: After | At, *, first: int, end: int) -> int | Reset:
    """The offset to begin at, among those from `first` to `end` (the next one to be written)."""
    requested = wanted.last_event_id if isinstance(wanted, After) else wanted.offset
    begin = offset(wanted)
    if begin > end:
        return Reset(
            "No such offset has been written yet: the topic is another than when it was given", requested, first
        )
    if begin < first:
        return Reset("The events after it have expired", requested, first)
    return begin


def _id(parameter: str, text: str) -> int:
    if not _ID.fullmatch(text) or int(text) > _LARGEST:
        raise InvalidParameter(parameter, text, "the id of an event of this batch: an offset, or -1")
    return int(text)
