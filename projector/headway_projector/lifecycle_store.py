"""What the tables say, and are told, of topics and weeks: `sql/lifecycle.sql` in Python."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import date
from typing import Any, Final, NamedTuple

import asyncpg

from headway_projector.errors import NoSuchBatch
from headway_projector.lifecycle import KnownTopic
from headway_projector.statements import load, rows
from headway_projector.store import Store

LOCK_TIMEOUT: Final = "1s"  # the longest that projectors wait behind a dropping that waits itself, for a long reader

_queries: Final = load("lifecycle.sql")


class Limit(NamedTuple):
    """For how long the log is kept."""

    kept_weeks: int
    archived_first: bool  # and then until it is in the Parquet archive


class OldWeek(NamedTuple):
    """A week whose log is old enough to be dropped."""

    week: date
    needed: int  # batches that have not ended, whose topics are there, or that are not in the archive and should be


class WeekBusy(Exception):
    """Somebody reads the log, or drops or makes a week of it, just now."""


class LifecycleStore:
    """The statements of the lifecycle. Every method may raise what asyncpg raises when PostgreSQL is away."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def topics_of(self, batch_ids: Collection[int]) -> list[KnownTopic]:
        """What is known of the topics of these batches, but of those that people must decide on."""
        return _known(await self._ask("topics_of", batch_ids=list(batch_ids)))

    async def note_topics(self, ids: Mapping[int, str]) -> set[int]:
        """Topic ids, by batch, are those that are projected from now on; the batches of which that is so."""
        noted = await self._ask("note_topics", batch_ids=list(ids), topic_ids=list(ids.values()))
        return {row["batchid"] for row in noted}

    async def note_problem(self, known: KnownTopic, problem: str) -> bool:
        """People must decide on a batch that stands as `known`; whether that is news."""
        return bool(
            await self._ask(
                "note_problem",
                batch_id=known.batch_id,
                topic_id=known.topic_id,
                next_offset=known.next_offset,
                problem=problem,
            )
        )

    async def forget_problems(self, topics: Collection[str]) -> list[tuple[int, str]]:
        """Batch and topic of the problems that are none any more, as only these topics are there."""
        return [(row["batchid"], row["topic"]) for row in await self._ask("forget_problems", topics=list(topics))]

    async def finished_batches(self, topics: Collection[str], kept_s: int) -> list[KnownTopic]:
        """Batches that have ended and been quiet for so long, and of which the topic is not yet archived and gone."""
        return _known(await self._ask("finished_batches", topics=list(topics), kept_s=float(kept_s)))

    async def known_offsets(self, batch_id: int) -> int:
        """How many offsets of a batch's topic are in the log, among the dead letters or in a gap; 0 without a batch."""
        try:
            async with self._store.hold(batch_id, lock=False) as held:
                return await held.known_offsets()
        except NoSuchBatch:
            return 0

    async def note_archived(self, known: KnownTopic) -> bool:
        """Note, for good, that the topic may be deleted; False if the batch does not stand as `known` any more."""
        async with self._store.connection() as connection, connection.transaction():
            # Whatever the session's setting is: this commit waits for the disk, and with it for every transaction
            # before it, those included that put the topic's last events into the log.
            await connection.execute("SET LOCAL synchronous_commit = on")
            return bool(await rows(_queries.note_archived(connection, **_standing(known))))

    @asynccontextmanager
    async def hold_archived(self, known: KnownTopic) -> AsyncIterator[HeldArchived | None]:
        """The batch, held while its topic is deleted; None if it does not stand as `known` any more."""
        async with self._store.connection() as connection, connection.transaction():
            found = await rows(_queries.lock_archived(connection, **_standing(known)))
            yield HeldArchived(connection, known.batch_id) if found else None

    async def old_weeks(self, topics: Collection[str], limit: Limit) -> list[OldWeek]:
        """The weeks whose log is older than that, oldest first."""
        found = await self._ask("old_weeks", topics=list(topics), **limit._asdict())
        return [OldWeek(row["week"], row["needed"]) for row in found]

    async def drop_week(self, week: date, topics: Collection[str], limit: Limit) -> int | None:
        """Drop the log and the file outcomes of a week; the number of its batches, or None if one needs them after all.

        Raises:
            WeekBusy: nothing was dropped; try again later.
        """
        try:
            async with self._store.connection() as connection, connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
                if not await _queries.lock_weeks(connection):
                    raise WeekBusy
                batches = await rows(_queries.lock_batches_of_week(connection, week=week))
                old = await rows(_queries.old_weeks(connection, topics=list(topics), **limit._asdict()))
                if (week, 0) not in [(row["week"], row["needed"]) for row in old]:
                    return None
                await rows(_queries.drop_week(connection, week=week))
                await _queries.note_log_dropped(connection, week=week)
                return len(batches)
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
            raise WeekBusy(str(error)) from error

    async def _ask(self, query: str, **parameters: Any) -> list[asyncpg.Record]:
        async with self._store.connection() as connection:
            return await rows(getattr(_queries, query)(connection, **parameters))


class HeldArchived:
    """A batch whose topic is about to be deleted, in one transaction."""

    def __init__(self, connection: Any, batch_id: int) -> None:
        self._connection = connection
        self._batch_id = batch_id

    async def take_back(self) -> None:
        """Keep the topic after all."""
        await _queries.take_back(self._connection, batch_id=self._batch_id)


def _standing(known: KnownTopic) -> dict[str, Any]:
    return {"batch_id": known.batch_id, "topic_id": known.topic_id, "next_offset": known.next_offset}


def _known(found: list[asyncpg.Record]) -> list[KnownTopic]:
    return [
        KnownTopic(row["batchid"], row["topic"], row["topicid"], row["nextoffset"], row["archived"]) for row in found
    ]
