"""Deletes the topics of finished batches and drops the log of old weeks, so much a round as lifecycle.py says.

    1. problems   of topics that are gone are none any more
    2. topics     note that a topic may be deleted, once the tables are known to hold all of it; then delete it
    3. weeks      drop the log and the file outcomes of one week that no batch needs

A projector's janitor looks after the topics of the batches that it owns, but nothing here relies on its being alone:
what is noted is compared with what was seen, and a topic is deleted while its batch is locked.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from datetime import date

from confluent_kafka import KafkaException

from headway_projector import lifecycle
from headway_projector.lifecycle import Kept, KnownTopic
from headway_projector.lifecycle_store import LifecycleStore, Limit, WeekBusy
from headway_projector.settings import Settings
from headway_projector.topics import Topics

logger = logging.getLogger(__name__)


class Janitor:
    """The loop. `owned` says which of some batches are this process's, `end` has them read no more."""

    def __init__(
        self,
        settings: Settings,
        *,
        store: LifecycleStore,
        topics: Topics,
        owned: Callable[[Collection[int]], set[int]],
        end: Callable[[Collection[int]], None],
    ) -> None:
        self._settings = settings
        self._store = store
        self._topics = topics
        self._owned = owned
        self._end = end
        self._round = 0
        self._looked: dict[int, int] = {}  # by batch, the round in which it was looked at last
        self._kept: dict[int, str] = {}  # by batch, why its topic is kept, as said in the log
        self._needed: dict[date, str] = {}  # by week, why it is kept, as said in the log

    async def run(self) -> None:
        """Tidy up for ever."""
        while True:
            await asyncio.sleep(lifecycle.pause_s(self._settings.topic_kept_s))
            try:
                await self._tidy_up()
            except Exception as error:  # noqa: BLE001 - nothing of this is urgent: what is away now is back some round
                logger.warning(
                    "The janitor could not finish its round; the next follows",
                    extra={"action": "janitor_failed", "reason": f"{type(error).__name__}: {error}"},
                )

    async def _tidy_up(self) -> None:
        topics = (await asyncio.to_thread(self._topics.by_batch)).values()
        for batch_id, topic in await self._store.forget_problems(topics):
            logger.info(
                "A topic that people had to decide on is gone",
                extra={"action": "problem_over", "batch_id": batch_id, "topic": topic},
            )
        if self._settings.topic_kept_s:
            await self._archive_some(topics)
        if self._settings.log_kept_weeks:
            await self._drop_a_week(topics)

    async def _archive_some(self, topics: Collection[str]) -> None:
        self._round += 1
        finished = await self._store.finished_batches(topics, self._settings.topic_kept_s)
        mine = self._owned([known.batch_id for known in finished])
        due = [known for known in finished if known.batch_id in mine]
        for memory in (self._looked, self._kept):
            for batch_id in memory.keys() - mine:
                del memory[batch_id]
        for known in lifecycle.turn(due, self._looked):
            self._looked[known.batch_id] = self._round
            await self._archive(known)

    async def _archive(self, known: KnownTopic) -> None:
        if not known.archived:
            found = await asyncio.to_thread(self._topics.look, known.topic)
            why = lifecycle.why_kept(known, found, await self._store.known_offsets(known.batch_id))
            if why is not None:
                self._say_kept(known, why)
                return
            if not await self._store.note_archived(known):
                return  # somebody reset it, or an event came: as the tables say then
            logger.info("A batch is archived: its raw log is all there is of it", extra=_of(known, "batch_archived"))
            if found is None:
                return
        self._end([known.batch_id])
        await self._delete(known)

    async def _delete(self, known: KnownTopic) -> None:
        """Delete the topic of an archived batch, unless something has come to it since that was noted."""
        async with self._store.hold_archived(known) as held:
            found = None if held is None else await asyncio.to_thread(self._topics.look, known.topic)
            if held is None or found is None or found.topic_id != known.topic_id:
                return  # gone, or another's: TopicIdentity says so of one that was made anew
            if found.end != known.next_offset:
                await held.take_back()
                self._say_kept(known, Kept.LAGGING)
                return
            try:
                await asyncio.to_thread(self._topics.delete, known.topic)
            except KafkaException as error:
                await held.take_back()
                self._say_kept(known, Kept.REFUSED, str(error))
            else:
                logger.info("Deleted the topic of a finished batch", extra=_of(known, "topic_deleted"))

    async def _drop_a_week(self, topics: Collection[str]) -> None:
        limit = Limit(self._settings.log_kept_weeks, archived_first=bool(self._settings.log_archived_first))
        archived = ", or are not archived" if limit.archived_first else ""
        for week, needed in await self._store.old_weeks(topics, limit):
            if needed:
                why = f"are not closed, not quiet that long, or have a topic{archived}"
                self._say_needed(week, f"{needed} of its batches {why}")
                continue
            try:
                batches = await self._store.drop_week(week, topics, limit)
            except WeekBusy as busy:
                self._say_needed(week, f"somebody reads or changes the log; trying again each round: {busy}")
                return
            if batches is not None:
                logger.info(
                    "Dropped the log and the file outcomes of a week",
                    extra={"action": "week_dropped", "week": week.isoformat(), "batches": batches},
                )
                return

    def _say_kept(self, known: KnownTopic, why: Kept, detail: str = "") -> None:
        """Once for each reason, not each round."""
        if self._kept.get(known.batch_id) != why:
            self._kept[known.batch_id] = why
            logger.warning(
                "The topic of a finished batch is kept",
                extra={**_of(known, "topic_kept"), "reason": f"{why}{detail and ': '}{detail}"},
            )

    def _say_needed(self, week: date, why: str) -> None:
        if self._needed.get(week) != why:
            self._needed[week] = why
            logger.info(
                "The log of an old week is kept",
                extra={"action": "week_kept", "week": week.isoformat(), "reason": why},
            )


def _of(known: KnownTopic, action: str) -> dict[str, object]:
    return {
        "action": action,
        "batch_id": known.batch_id,
        "topic": known.topic,
        "next_offset": known.next_offset,
    }
