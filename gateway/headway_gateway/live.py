"""Which batches are live, as the tables have it: one question for all streams that want them all."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Final

from headway_gateway.position import MOST_BATCHES
from headway_gateway.store import Store

LOOK_S: Final = 2.0  # how soon a new batch joins the streams of all
LIVE_FOR: Final = timedelta(days=1)  # after its last event, a batch that nobody closed was given up


class LiveBatches:
    """The batches that are under way."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._asking = asyncio.Lock()
        self._found: frozenset[int] = frozenset()
        self._found_at = -LOOK_S

    async def now(self) -> frozenset[int]:
        """The ids of those that had an event within the last day, the latest first where there are too many.

        Raises:
            DatabaseAway: PostgreSQL does not answer.
        """
        async with self._asking:
            if time.monotonic() - self._found_at >= LOOK_S:
                since = datetime.now(UTC) - LIVE_FOR
                self._found = frozenset(await self._store.live_batches(since=since, most=MOST_BATCHES))
                self._found_at = time.monotonic()
            return self._found
