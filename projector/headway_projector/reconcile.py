"""The loop that makes what is read what should be read: batches owned, in the tables, whose topics go on.

Announcements and assignments act at once, through `look`; this loop, a second later at most, repairs what they missed:
an announcement that was lost, a batch that was fenced or reset, or whose reading ended by an error. It also puts
batches to rest that nobody writes, and wakes them when their topics have grown: to keep 2,000 silent topics in the
consumer costs a fifth of a core and 90 MB, to ask where they end a third of that and none. What it sees is the lag.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Final

from headway_events import Announcement, BadAnnouncement, TopicNames

from headway_projector.alerts.silence import Silence
from headway_projector.data_plane import DataPlane
from headway_projector.health import Health
from headway_projector.lag import Standing
from headway_projector.store import Store
from headway_projector.topics import Topics

logger = logging.getLogger(__name__)

EVERY_S: Final = 1.0
WEEKS_EVERY: Final = 3600  # rounds: partitions are made a week ahead


class Reconciler:
    """Compares and repairs. `owned` says which of some batches are this process's."""

    def __init__(
        self,
        *,
        topics: Topics,
        names: TopicNames,
        owned: Callable[[Collection[int]], set[int]],
        store: Store,
        data_plane: DataPlane,
        health: Health,
        silence: Silence | None,
        rest_after_s: float,
    ) -> None:
        self._topics = topics
        self._names = names
        self._owned = owned
        self._store = store
        self._data_plane = data_plane
        self._health = health
        self._silence = silence
        self._rest_after_s = rest_after_s
        self._wake = asyncio.Event()

    def look(self) -> None:
        """Compare now, not a second later: the assignment has changed."""
        self._wake.set()

    async def announce(self, announcement: Announcement) -> None:
        """Make an announced batch known, and read it if it was not known yet; others are read when they have lag.

        Raises:
            BadAnnouncement: the topic is not the batch's; reading it would take it from the batch whose it is.
        """
        if announcement.topic != self._names.of_batch(announcement.batch_id):
            raise BadAnnouncement(f"{announcement.topic!r} is not the topic of batch {announcement.batch_id}")
        if await self._store.register(announcement):
            await self._data_plane.begin(self._owned({announcement.batch_id}))

    async def run(self) -> None:
        """Compare for ever, again and again."""
        rounds = 0
        while True:
            try:
                if rounds % WEEKS_EVERY == 0:
                    await self._store.ensure_log_weeks()
                await self._round()
                rounds += 1
                self._health.has("reconciliation")
            except Exception as error:  # noqa: BLE001 - whatever is away now, the next round finds it again
                self._health.waits_for("reconciliation", f"{type(error).__name__}: {error}")
                logger.warning(
                    "A reconciliation failed; the next follows",
                    extra={"action": "reconcile_failed", "reason": f"{type(error).__name__}: {error}"},
                )
            await self._pause()

    async def _round(self) -> None:
        if ended := await self._store.end_silent_holders():
            logger.warning(
                "Ended transactions of projectors that are frozen or gone, since they held batches up",
                extra={"action": "silent_holders_ended", "sessions": ended},
            )
        topics = await asyncio.to_thread(self._topics.by_batch)
        committed = self._data_plane.committed()  # before the tables are asked: they may only be further on
        batches = await self._store.known_batches()
        known = {batch.batch_id: batch.next_offset for batch in batches}
        mine = self._owned({*topics, *known})
        await self._register({batch_id: topics[batch_id] for batch_id in mine & (topics.keys() - known.keys())})
        reset = {batch_id for batch_id, offset in committed.items() if known.get(batch_id, offset) < offset}
        if reset:
            logger.warning(
                "Batches were reset; reading them anew", extra={"action": "reset", "batch_ids": sorted(reset)}
            )
        self._data_plane.end((self._data_plane.batch_ids - mine) | reset)
        self._data_plane.rest(self._rest_after_s)
        readable = mine & topics.keys() - {batch.batch_id for batch in batches if batch.has_problem}
        standings = await self._standings({batch_id: topics[batch_id] for batch_id in readable}, known)
        self._health.stands(standings)
        if self._silence is not None:
            self._silence.observe(standings, time.monotonic())
        await self._data_plane.begin(
            {batch_id for batch_id, standing in standings.items() if standing.end != standing.next_offset}
        )

    async def _register(self, unannounced: Mapping[int, str]) -> None:
        for batch_id, topic in unannounced.items():
            logger.warning(
                "Found a topic that nobody announced",
                extra={"action": "unannounced_topic", "batch_id": batch_id, "topic": topic},
            )
            await self._store.register(Announcement(batch_id=batch_id, topic=topic, created_at=datetime.now(UTC)))

    async def _standings(self, topics: Mapping[int, str], known: Mapping[int, int]) -> dict[int, Standing]:
        """Where these batches stand: those being read as the reader knows, those at rest as Kafka says."""
        standings = self._data_plane.standings()
        at_rest = {batch_id: topic for batch_id, topic in topics.items() if batch_id not in standings}
        ends = await asyncio.to_thread(self._topics.ends, at_rest.values())
        for batch_id, topic in at_rest.items():
            if topic in ends:
                standings[batch_id] = Standing(known.get(batch_id, 0), ends[topic])
        return standings

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), EVERY_S)
        self._wake.clear()
