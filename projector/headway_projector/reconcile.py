"""The loop that makes what is read what should be read: batches owned, in the tables, with a topic.

Announcements and assignments act at once, through `look`; this loop, a second later at most, repairs what they missed:
an announcement that was lost, a batch that was fenced or reset, or whose reading ended by an error.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Final

from confluent_kafka.admin import AdminClient
from headway_events import Announcement, BadAnnouncement, TopicNames

from headway_projector.data_plane import DataPlane
from headway_projector.health import Health
from headway_projector.ownership import owned
from headway_projector.store import Store

logger = logging.getLogger(__name__)

EVERY_S: Final = 1.0
KAFKA_TIMEOUT_S: Final = 5.0
WEEKS_EVERY: Final = 3600  # rounds: partitions are made a week ahead


class Reconciler:
    """Compares and repairs. `assigned` says which partitions of the registry are this process's."""

    def __init__(
        self,
        *,
        admin: AdminClient,
        names: TopicNames,
        partitions: int,
        assigned: Callable[[], Collection[int]],
        store: Store,
        data_plane: DataPlane,
        health: Health,
    ) -> None:
        self._admin = admin
        self._names = names
        self._partitions = partitions
        self._assigned = assigned
        self._store = store
        self._data_plane = data_plane
        self._health = health
        self._wake = asyncio.Event()

    def look(self) -> None:
        """Compare now, not a second later: the assignment has changed."""
        self._wake.set()

    async def announce(self, announcement: Announcement) -> None:
        """Make an announced batch known, and read it.

        Raises:
            BadAnnouncement: the topic is not the batch's; reading it would take it from the batch whose it is.
        """
        if announcement.topic != self._names.of_batch(announcement.batch_id):
            raise BadAnnouncement(f"{announcement.topic!r} is not the topic of batch {announcement.batch_id}")
        await self._store.register(announcement)
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
        topics = await asyncio.to_thread(self._topics)
        committed = self._data_plane.committed()  # before the tables are asked: they may only be further on
        known = {batch.batch_id: batch.next_offset for batch in await self._store.known_batches()}
        mine = self._owned({*topics, *known})
        for batch_id in mine & (topics.keys() - known.keys()):
            logger.warning(
                "Found a topic that nobody announced",
                extra={"action": "unannounced_topic", "batch_id": batch_id, "topic": topics[batch_id]},
            )
            await self._store.register(
                Announcement(batch_id=batch_id, topic=topics[batch_id], created_at=datetime.now(UTC))
            )
        should_be_read = mine & topics.keys()
        reset = {batch_id for batch_id, offset in committed.items() if known.get(batch_id, offset) < offset}
        if reset:
            logger.warning(
                "Batches were reset; reading them anew", extra={"action": "reset", "batch_ids": sorted(reset)}
            )
        self._data_plane.end((self._data_plane.batch_ids - mine) | reset)
        await self._data_plane.begin(should_be_read)

    def _topics(self) -> dict[int, str]:
        metadata = self._admin.list_topics(timeout=KAFKA_TIMEOUT_S)
        found = {self._names.batch_of(topic): topic for topic in metadata.topics}
        return {batch_id: topic for batch_id, topic in found.items() if batch_id is not None}

    def _owned(self, batch_ids: Collection[int]) -> set[int]:
        return owned(batch_ids, assigned=self._assigned(), partitions=self._partitions)

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), EVERY_S)
        self._wake.clear()
