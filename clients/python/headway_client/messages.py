"""What a batch's stream says, as values, and what it counts to. Pure."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import msgspec
from headway_events import (
    EVENT_TYPES,
    BadEvent,
    BatchComplete,
    BatchState,
    Event,
    StageStart,
    decode,
    fold_batch,
    resume,
)

from headway_client.errors import BadStream
from headway_client.sse import Frame


class EventMessage(msgspec.Struct, frozen=True, gc=False):
    """An event of the batch."""

    id: str
    """Where it stands; hand it back to resume after it. Its form is the gateway's affair."""
    event: Event
    raw: bytes
    """The event's JSON as it came, with the fields that this version does not know."""


class Snapshot(msgspec.Struct, frozen=True):
    """The counts so far; the events after it are still to come."""

    id: str
    batch: BatchState
    offset: int
    """The offset of the first event that is not counted in it."""


class Reset(msgspec.Struct, frozen=True):
    """The stream could not go on where it should, and begins again: forget what was counted."""

    id: str
    reason: str
    raw: bytes
    """All that the gateway says of it, as JSON."""


class OtherMessage(msgspec.Struct, frozen=True):
    """A message of a kind that this version does not know."""

    id: str
    name: str
    raw: bytes


Message: TypeAlias = EventMessage | Snapshot | Reset | OtherMessage


class Update(msgspec.Struct, frozen=True, gc=False):
    """A batch after one more message of its stream."""

    batch: BatchState
    """The counts now. The same object is counted on: copy what you want to keep."""
    message: Message
    """What has changed them."""


def read(frame: Frame, batch_id: int) -> Message:
    """The message in a frame of the batch's stream.

    Raises:
        BadStream: it is not what a gateway writes.
    """
    try:
        if frame.name in EVENT_TYPES:
            return EventMessage(frame.id, decode(frame.data, batch_id=batch_id), frame.data)
        if frame.name == "snapshot":
            data: dict[str, Any] = msgspec.json.decode(frame.data)
            return Snapshot(frame.id, resume(data), data["offset"])
        if frame.name == "reset":
            return Reset(frame.id, str(msgspec.json.decode(frame.data)["reason"]), frame.data)
    except (BadEvent, KeyError, TypeError, ValueError) as error:
        raise BadStream(f"A message {frame.name!r} with id {frame.id!r} cannot be read: {error}") from error
    return OtherMessage(frame.id, frame.name, frame.data)


def count(batch: BatchState, message: Message) -> BatchState:
    """The batch after a message. Consumes `batch`: use only what is returned."""
    if isinstance(message, EventMessage):
        return fold_batch(batch, message.event)
    if isinstance(message, Snapshot):
        return message.batch
    return BatchState() if isinstance(message, Reset) else batch


TELLING: Final = frozenset({"batch_complete", "stage_start", "snapshot", "reset"})  # names that `is_closed` looks at


def is_closed(message: Message, before: bool) -> bool:
    """Whether nothing is expected after a message, so that the stream ends for good; `before` is what held before."""
    if isinstance(message, EventMessage):
        return isinstance(message.event, BatchComplete) or (before and not isinstance(message.event, StageStart))
    if isinstance(message, Snapshot):
        return message.batch.closed
    return before and not isinstance(message, Reset)
