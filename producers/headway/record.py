"""A record on its way: what the buffer, the spool and Kafka's producer hand to one another."""

from __future__ import annotations

import msgspec


class Record(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One record, encoded; headers are made late, by the sender."""

    batch_id: int
    topic: str
    key: bytes | None
    value: bytes
    timestamp_ms: int
    event_type: str
    event_id: str

    @property
    def size(self) -> int:
        """Roughly its bytes in memory."""
        return len(self.value) + OVERHEAD_BYTES

    @property
    def happened(self) -> bytes:
        """The event's `timestamp`, as it stands in the value."""
        begin = self.value.index(_BEFORE_TIMESTAMP) + len(_BEFORE_TIMESTAMP)
        return self.value[begin : self.value.index(b'"', begin)]


ANNOUNCEMENT = ""  # in place of an event type
OVERHEAD_BYTES = 400  # measured: the struct, its small strings and its place in a deque
_BEFORE_TIMESTAMP = b'"timestamp":"'  # its first place is the event's own: only eventType and batchId stand before it
