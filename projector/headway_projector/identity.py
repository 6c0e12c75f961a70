"""Sees to it that what is read into a batch's tables comes from the topic that was projected there before.

A topic that is deleted and made anew begins at offset 0 again: its offsets are those of other events. Kafka's id of the
topic tells. It is asked for when a batch begins to be read, and once more between reading records and writing them,
since the client goes on reading a topic that was made anew within half a second as if it were the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection

from headway_projector import lifecycle
from headway_projector.lifecycle import Admission, KnownTopic
from headway_projector.lifecycle_store import LifecycleStore
from headway_projector.topics import Topics

logger = logging.getLogger(__name__)


class TopicIdentity:
    """Which batches may be read. Methods raise what Kafka and PostgreSQL raise when they are away."""

    def __init__(self, store: LifecycleStore, topics: Topics) -> None:
        self._store = store
        self._topics = topics
        self._ids: dict[str, str] = {}  # of each topic admitted

    async def admitted(self, batch_ids: Collection[int]) -> set[int]:
        """Those of these batches that may be read. People must decide on those whose topic is another."""
        batches = await self._store.topics_of(batch_ids)
        if not batches:
            return set()
        found = await asyncio.to_thread(self._topics.ids, [known.topic for known in batches])
        decided = {known: lifecycle.admission(known, found[known.topic]) for known in batches if known.topic in found}
        new = {known.batch_id: found[known.topic] for known, what in decided.items() if what is Admission.NOTE}
        noted = await self._store.note_topics(new) if new else set()
        admitted = set()
        for known, what in decided.items():
            if what is Admission.REFUSE:
                await self._leave_to_people(known, "topic_recreated", lifecycle.recreated(known.batch_id))
            elif what is Admission.READ or known.batch_id in noted:
                self._ids[known.topic] = found[known.topic]
                admitted.add(known.batch_id)
        return admitted

    async def changed(self, topics: Collection[str]) -> set[str]:
        """Those of these topics, admitted before, that are others now."""
        found = await asyncio.to_thread(self._topics.ids, topics)
        return {topic for topic, topic_id in found.items() if topic_id != self._ids.get(topic)}

    async def ends_early(self, batch_id: int, end: int) -> None:
        """Leave to people a batch of which the tables have more than the topic, unless that is another topic anyway."""
        if not await self.admitted({batch_id}):
            return
        for known in await self._store.topics_of({batch_id}):
            if known.next_offset > end:
                problem = lifecycle.cut_short(batch_id, next_offset=known.next_offset, end=end)
                await self._leave_to_people(known, "topic_cut_short", problem)

    async def _leave_to_people(self, known: KnownTopic, action: str, problem: str) -> None:
        if await self._store.note_problem(known, problem):
            logger.error(
                "A batch is read no further until somebody decides",
                extra={"action": action, "batch_id": known.batch_id, "topic": known.topic, "problem": problem},
            )
