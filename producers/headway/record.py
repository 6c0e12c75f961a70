"""A record on its way: what the buffer, the spool and Kafka's producer hand to one another."""

from __future__ import annotations

import msgspec


class Record(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One record, encoded; `headers` are built late, by the sender, from the last three fields."""

    batch_id: int
    topic: str
    key: bytes | None
    value: bytes
    timestamp_ms: int
    event_type: str
    event_id: str
    time: str

    @property
    def size(self) -> int:
        """Roughly its bytes in memory."""
        return len(self.value) + _OVERHEAD_BYTES


_OVERHEAD_BYTES = 400  # measured: the struct, its small strings and its place in a deque
