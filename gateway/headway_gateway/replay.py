"""One sequence from archive, history and live records: no gap, no duplicate, in order.

An offset below the topic's first comes from the archive, any other from the topic's feed. Both say how far a chunk
goes, and the next one is asked for at exactly that offset: nothing else keeps the order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext

from headway_gateway.archive import Archive
from headway_gateway.errors import DatabaseAway, NoSuchBatch
from headway_gateway.sse import Chunk
from headway_gateway.store import Store
from headway_gateway.topic_feed import FeedHub, TopicFeed


class Replay:
    """A batch's events, from `first` to `end`, which grows while the topic does."""

    def __init__(
        self, feed: TopicFeed | None, archive: Archive | None, *, dropped: bool = False, missed: bool = False
    ) -> None:
        assert feed is not None or archive is not None
        self._feed = feed
        self._archive = archive
        self._missed = missed  # there is no topic, and may be again
        self.dropped = dropped
        """Whether no event of it is kept any more: it can be read from its end only."""

    @property
    def topic(self) -> str | None:
        """The topic, if there is one."""
        return None if self._feed is None else self._feed.topic

    @property
    def archived(self) -> bool:
        """Whether some of it comes from the log, all of it if there is no topic."""
        return self._archive is not None

    @property
    def first(self) -> int:
        """The first offset that can be had."""
        if self._archive is not None:
            return 0
        assert self._feed is not None
        return self._feed.first

    @property
    def end(self) -> int:
        """The offset after the last one that there is now."""
        if self._feed is not None:
            return self._feed.end
        assert self._archive is not None
        return self._archive.end

    @property
    def ended(self) -> bool:
        """Whether nothing follows the end: the batch is closed, or its topic was deleted as it was over."""
        return not self._missed if self._feed is None else self._feed.closed

    @property
    def lost(self) -> str | None:
        """Why the stream must end though the batch has not: its topic is missed, or went while it was read."""
        if self._feed is not None:
            return self._feed.lost
        return "Its topic is not there, and may be again." if self._missed else None

    async def chunk_at(self, offset: int) -> Chunk:
        """The chunk with this offset, which is below the end; it may begin before it.

        Raises:
            KafkaAway, DatabaseAway: its source does not answer.
        """
        if self._feed is not None and offset >= self._feed.first:
            return await self._feed.chunk_at(offset)
        assert self._archive is not None
        return await self._archive.chunk_at(offset)

    async def more_than(self, offset: int) -> None:
        """Wait until there is something at `offset`."""
        if self._feed is not None:
            await self._feed.more_than(offset)

    def watched(self, news: asyncio.Event) -> AbstractContextManager[None]:
        """Have `news` set whenever there is more, or it is lost."""
        return nullcontext() if self._feed is None else self._feed.watched(news)


@asynccontextmanager
async def replay(batch_id: int, hub: FeedHub, store: Store) -> AsyncIterator[Replay]:
    """A batch's events, from its topic, from the log where the topic no longer has them.

    Raises:
        NoSuchBatch: it is neither in Kafka nor in PostgreSQL.
        KafkaAway: Kafka does not answer.
        DatabaseAway: there is no topic, and PostgreSQL, which might have the log, does not answer.
    """
    async with hub.feed(batch_id) as feed:
        if feed is None:
            overview = await store.batch(batch_id)
            if overview is None:
                raise NoSuchBatch(batch_id)
            archive = Archive(store, batch_id, overview["nextoffset"])
            is_over = overview["archivedat"] is not None or overview["closed"]
            missed = not is_over and not await hub.is_gone(batch_id)
            yield Replay(None, archive, dropped=overview["logdroppedat"] is not None, missed=missed)
        else:
            yield Replay(feed, await _archive_before(feed, batch_id, store) if feed.first else None)


async def _archive_before(feed: TopicFeed, batch_id: int, store: Store) -> Archive | None:
    """What the log has of the offsets that have expired in the topic, if it has them all."""
    try:
        overview = await store.batch(batch_id)
    except DatabaseAway:
        return None
    if overview is None or overview["nextoffset"] < feed.first or overview["logdroppedat"] is not None:
        return None
    return Archive(store, batch_id, feed.first)
