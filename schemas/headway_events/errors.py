"""The root of Headway's errors, and the ways in which a record can fail to be an event.

    HeadwayError
    └── BadEvent                 a record that cannot be counted
        ├── MalformedRecord      the bytes are not JSON in UTF-8
        ├── UnknownEventType     JSON, but no event type of ours
        ├── InvalidField         a field is missing, of the wrong type or out of range
        └── WrongBatch           a valid event of another batch than its topic's

The class name of a BadEvent is its stable code: the dead-letter topic's `error` header, the `deadLetter` table and
the metrics use it.
"""

from __future__ import annotations


class HeadwayError(Exception):
    """Headway failed; the message says at what."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").partition("\n")[0])


class BadEvent(HeadwayError, ValueError):
    """The record is not an event that can be counted."""


class MalformedRecord(BadEvent):
    """The record's value is not one JSON object in UTF-8."""


class UnknownEventType(BadEvent):
    """The record's eventType is none of those defined."""


class InvalidField(BadEvent):
    """A field of the event is missing, of the wrong type or out of range."""


class WrongBatch(BadEvent):
    """The event belongs to another batch than the topic it was found in."""

    def __init__(self, found: int, expected: int) -> None:
        super().__init__(f"Expected batchId {expected}, the topic's, got {found} - at `$.batchId`")
        self.found = found
        self.expected = expected
