"""Where a stream begins: the request's words read, and held against the offsets that there are. Pure.

The id of a message of one batch is its offset. A stream of several batches has composite ids, `batchId:offset` for each
batch and commas between: each id says where all of them stand, so that the last one that a client has resumes them all.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Final, NamedTuple

from headway_gateway.errors import InvalidParameter

_ID: Final = re.compile(r"-1|0|[1-9][0-9]{0,18}")
_OFFSET: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_PLACE: Final = r"-?[0-9]{1,19}:(?:-1|[0-9]{1,19})"
_COMPOSITE_ID: Final = re.compile(f"{_PLACE}(?:,{_PLACE})*", re.ASCII)
_LARGEST: Final = 2**63 - 1

MOST_BATCHES: Final = 500  # in one stream: each message's id has the position of every one


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


class LastEventId(NamedTuple):
    """The id of the last message that a client has, and the parameter that says so."""

    parameter: str
    text: str


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


def batch_ids(texts: Collection[str]) -> list[int]:
    """The batches of a request for a stream, each once; none where it names none.

    Raises:
        InvalidParameter: one is no signed 64-bit integer, or there are too many.
    """
    if len(texts) > MOST_BATCHES:
        raise InvalidParameter("batchId", f"{len(texts)} batches", f"at most {MOST_BATCHES} in one stream")
    return list(dict.fromkeys(batch_id(text) for text in texts))


def last_event_id(query: Mapping[str, str], header: str | None) -> LastEventId | None:
    """The id that the client has last: the `Last-Event-ID` header, else `lastEventId`, which a page can give."""
    if header:  # a browser sends an empty one when it has none
        return LastEventId("Last-Event-ID", header)
    return LastEventId("lastEventId", query["lastEventId"]) if "lastEventId" in query else None


def resumed(last: LastEventId | None, batch_ids: Sequence[int]) -> dict[int, After]:
    """Where the client stands: of each batch that its last id names, after which event it goes on.

    Args:
        last: the id; None where the client begins.
        batch_ids: the batches that are asked for; empty where all that are live are.

    Raises:
        InvalidParameter: it is no id of a message of such a stream.
    """
    if last is None:
        return {}
    if len(batch_ids) == 1:
        if not _ID.fullmatch(last.text) or int(last.text) > _LARGEST:
            raise InvalidParameter(*last, "the id of an event of this batch: an offset, or -1")
        return {batch_ids[0]: After(int(last.text))}
    pairs = [part.split(":") for part in last.text.split(",")] if _COMPOSITE_ID.fullmatch(last.text) else []
    found = {int(number): After(int(offset)) for number, offset in pairs}
    in_range = all(
        -(2**63) <= number <= _LARGEST and after.last_event_id <= _LARGEST for number, after in found.items()
    )
    if not found or len(found) > MOST_BATCHES or not in_range:
        raise InvalidParameter(*last, "the id of a message of several batches: batchId:offset,batchId:offset,...")
    if batch_ids and not found.keys() <= set(batch_ids):
        raise InvalidParameter(*last, "the id of a message of the batches that are asked for")
    return found


def event_id(positions: Mapping[int, int], *, several: bool) -> bytes:
    """The id of a message after which the next offset of each batch is this, or of the only one."""
    if several:
        return composite(positions)
    (only,) = positions.values()
    return b"%d" % (only - 1)


def composite(positions: Mapping[int, int]) -> bytes:
    """The id of a message after which the next offset of each batch is this."""
    return b",".join(b"%d:%d" % (number, position - 1) for number, position in positions.items())


def composite_around(positions: Mapping[int, int], batch_id: int) -> tuple[bytes, bytes]:
    """What stands before and after the offset of one batch in a composite id."""
    place = list(positions).index(batch_id)
    others = list(positions.items())
    before, after = dict(others[:place]), dict(others[place + 1 :])
    return composite(before) + b"," * bool(before) + b"%d:" % batch_id, b"," * bool(after) + composite(after)


def start(query: Mapping[str, str], *, several: bool) -> Start:
    """Where a batch that is not resumed begins: `from`, else the earliest.

    Raises:
        InvalidParameter: what it says cannot be read, or is an offset where there are several batches.
    """
    text = query.get("from", "earliest")
    try:
        return Beginning(text)
    except ValueError:
        pass
    if _OFFSET.fullmatch(text) and int(text) <= _LARGEST:
        if several:
            raise InvalidParameter(
                "from", text, "earliest, latest, snapshot or a timestamp, as there are several batches"
            )
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
