"""The same chunks from the raw log in PostgreSQL, for offsets that the topic no longer has."""

from __future__ import annotations

from typing import Final

from headway_events import decode

from headway_gateway.sse import Chunk, encode_chunk
from headway_gateway.store import Store

CHUNK_EVENTS: Final = 2000
CHUNK_BYTES: Final = 512 * 1024  # of values as PostgreSQL stores them, long ones compressed


class Archive:
    """The events of one batch that are in the log, from offset 0 to below `end`."""

    def __init__(self, store: Store, batch_id: int, end: int) -> None:
        self._store = store
        self._batch_id = batch_id
        self.end = end

    async def chunk_at(self, offset: int) -> Chunk:
        """Some events from `offset` on, encoded as those of a topic are.

        Raises:
            DatabaseAway: PostgreSQL does not answer.
        """
        rows = await self._store.log_range(self._batch_id, offset, self.end, CHUNK_EVENTS, CHUNK_BYTES)
        events = [(at, decode(value, batch_id=self._batch_id), value) for at, value in rows]
        next_offset = rows[-1][0] + 1 if rows else self.end
        return encode_chunk(events, offset, next_offset)
