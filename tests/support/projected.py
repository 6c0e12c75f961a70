"""A batch that the projector has in the tables when a test begins."""

from __future__ import annotations

from collections.abc import Iterable

from headway_events import Event

from support.tables import Tables
from support.topics import Topics


async def projected(
    topics: Topics, tables: Tables, batch_id: int, events: Iterable[Event], *, name: str | None = None
) -> None:
    """Make and announce the batch, write these events, and wait until they are in the tables."""
    written = list(events)
    topics.create(batch_id)
    topics.announce(batch_id, name)
    topics.write_events(written)
    await tables.wait_for(batch_id, len(written))
