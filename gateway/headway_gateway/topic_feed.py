"""The records of the topics being streamed, as encoded chunks that all clients share, within a bound of memory.

Clients pull: each asks for the chunk at its own offset when it has sent the one before, so a client that stands still
holds nothing but its place. A chunk is read from Kafka and encoded once, and kept until memory is needed for others;
what was dropped is loaded again when asked for. New records arrive by the follower, at the end.
"""

from __future__ import annotations

import asyncio
import bisect
import logging
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import Final, TypeVar
from weakref import WeakValueDictionary

from confluent_kafka import KafkaException
from headway_events import TopicNames
from headway_events.kafka_refusals import explained

from headway_gateway.errors import KafkaAway
from headway_gateway.kafka import Follower, Offsets, TopicReader
from headway_gateway.missed_topics import MissedTopics
from headway_gateway.sse import Chunk

logger = logging.getLogger(__name__)

LOADERS: Final = 2  # consumers that load older ranges; each loads one range at a time
KEEP_S: Final = 30.0  # how long a topic without clients is followed, for the next one
LAST_RECORDS: Final = 100  # looked at for whether the batch is closed; what comes after batch_complete is little
FRAME_BYTES: Final = 150  # of memory for a frame's place beside its bytes; measured

Result = TypeVar("Result")


class TopicFeed:
    """One topic, from its first offset to its end, which grows."""

    def __init__(self, topic: str, offsets: Offsets, load: Callable[[str, int, int], asyncio.Future[Chunk]]) -> None:
        self.topic = topic
        self.first, self.end = offsets
        self.closed = False
        """Whether the batch is closed, as of the end."""
        self.lost: str | None = None
        """Why it cannot be followed any more."""
        self.clients = 0
        self._load = load
        self._starts: list[int] = []  # of the chunks in memory, ascending
        self._chunks: dict[int, Chunk] = {}
        self._loading: dict[int, asyncio.Future[Chunk]] = {}
        self._watchers: set[asyncio.Event] = set()

    async def chunk_at(self, offset: int) -> Chunk:
        """The chunk with this offset, which is below the end. It may begin before it.

        Raises:
            KafkaAway: Kafka does not answer.
        """
        chunk = self._in_memory(offset)
        if chunk is None:
            try:
                chunk = await asyncio.shield(self._loaded(offset))
            except KafkaException as error:
                raise KafkaAway(f"Kafka does not give offset {offset} of {self.topic}: {error}") from error
            self._load_ahead(chunk.next_offset)
        return chunk

    @contextmanager
    def watched(self, news: asyncio.Event) -> Iterator[None]:
        """Have `news` set whenever the topic has grown or is lost."""
        self._watchers.add(news)
        try:
            yield
        finally:
            self._watchers.discard(news)

    async def more_than(self, offset: int) -> None:
        """Wait until there is something at `offset`, or the topic is lost."""
        news = asyncio.Event()
        with self.watched(news):
            while self.end <= offset and self.lost is None:
                await news.wait()
                news.clear()

    def keep(self, chunk: Chunk) -> None:
        """Have a chunk in memory."""
        if chunk.first_offset not in self._chunks:
            bisect.insort(self._starts, chunk.first_offset)
        self._chunks[chunk.first_offset] = chunk

    def drop(self, first_offset: int) -> None:
        """Have a chunk in memory no more."""
        if self._chunks.pop(first_offset, None) is not None:
            self._starts.remove(first_offset)

    def arrived(self, chunk: Chunk) -> None:
        """The topic has grown."""
        self.keep(chunk)
        self.end = chunk.next_offset
        if chunk.closed is not None:
            self.closed = chunk.closed
        self._wake()

    def lose(self, reason: str) -> None:
        """The topic is gone."""
        self.lost = reason
        self._wake()

    def _wake(self) -> None:
        for news in self._watchers:
            news.set()

    def _loaded(self, offset: int) -> asyncio.Future[Chunk]:
        loading = self._loading.get(offset)
        if loading is None:
            following = bisect.bisect_right(self._starts, offset)
            end = self._starts[following] if following < len(self._starts) else self.end
            loading = self._loading[offset] = self._load(self.topic, offset, end)
            loading.add_done_callback(lambda done: self._has_loaded(offset, done))
        return loading

    def _has_loaded(self, offset: int, loading: asyncio.Future[Chunk]) -> None:
        del self._loading[offset]
        if not loading.cancelled():
            loading.exception()  # is for whoever asks for the chunk; that nobody may ask any more is no news

    def _load_ahead(self, offset: int) -> None:
        """Who reads history wants the next chunk next: it is loaded while this one is sent."""
        if offset < self.end and self._in_memory(offset) is None:
            self._loaded(offset)

    def _in_memory(self, offset: int) -> Chunk | None:
        place = bisect.bisect_right(self._starts, offset) - 1
        if place < 0:
            return None
        chunk = self._chunks[self._starts[place]]
        return chunk if offset < chunk.next_offset else None


class FeedHub:
    """The feeds of all topics that have clients, and the memory that they share."""

    def __init__(self, connection: Mapping[str, str], names: TopicNames, cache_bytes: int) -> None:
        self._names = names
        self._cache_bytes = cache_bytes
        self._cached_bytes = 0
        self._cache: OrderedDict[tuple[str, int], int] = OrderedDict()  # least recently read first; bytes
        self._feeds: dict[str, TopicFeed] = {}
        self._missed = MissedTopics()
        self._opening: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(LOADERS, thread_name_prefix="loader")
        self._idle = [TopicReader(connection, names) for _ in range(LOADERS)]
        self._choosing = threading.Lock()
        self._follower = Follower(
            connection, names, arrived=self._from_thread(self._arrived), lost=self._from_thread(self._lose)
        )
        self._follower.start()

    @asynccontextmanager
    async def feed(self, batch_id: int) -> AsyncIterator[TopicFeed | None]:
        """The feed of a batch's topic, or None if there is no such topic.

        Raises:
            KafkaAway: Kafka does not answer.
        """
        topic = self._names.of_batch(batch_id)
        async with self._opening.setdefault(topic, asyncio.Lock()):
            feed = self._feeds.get(topic)
            if feed is None or feed.lost is not None:
                feed = await self._open(topic)
        if feed is None:
            yield None
            return
        feed.clients += 1
        try:
            yield feed
        finally:
            feed.clients -= 1
            if not feed.clients:
                self._loop.call_later(KEEP_S, self._close_if_unused, feed)

    async def offset_since(self, topic: str, since: datetime) -> int | None:
        """The first offset of a topic with a timestamp of `since` or later, or None.

        Raises:
            KafkaAway: Kafka does not answer.
        """
        return await self._ask(lambda reader: reader.offset_since(topic, since))

    async def offsets(self, topic: str) -> Offsets | None:
        """What a topic holds at this moment, or None if there is no such topic.

        Raises:
            KafkaAway: Kafka does not answer.
        """
        return await self._ask(lambda reader: reader.offsets(topic))

    async def has_topic(self, batch_id: int) -> bool:
        """Whether a batch has a topic.

        Raises:
            KafkaAway: Kafka does not answer.
        """
        topic = self._names.of_batch(batch_id)
        return topic in self._feeds or await self.offsets(topic) is not None

    async def is_gone(self, batch_id: int) -> bool:
        """Of a batch that has no feed: whether its topic is gone for good, and not missed for a moment.

        A broker that does not even know the registry has just started, and its word counts for nothing.

        Raises:
            KafkaAway: Kafka does not answer.
        """
        topic = self._names.of_batch(batch_id)
        is_known, has_registry = await self._ask(lambda one: (one.knows(topic), one.knows(self._names.registry)))
        if is_known or not has_registry:
            self._missed.found(topic)
            return False
        return self._missed.is_gone(topic)

    async def ping(self) -> None:
        """Ask Kafka for nothing.

        Raises:
            KafkaAway: Kafka does not answer.
        """
        await self._ask(lambda reader: reader.ping())

    @property
    def cached_bytes(self) -> int:
        """The memory that encoded events take."""
        return self._cached_bytes

    async def close(self) -> None:
        """Leave Kafka."""
        await asyncio.to_thread(self._follower.stop)
        self._threads.shutdown(wait=False, cancel_futures=True)
        for reader in self._idle:
            await asyncio.to_thread(reader.close)

    async def _open(self, topic: str) -> TopicFeed | None:
        offsets = await self.offsets(topic)
        if offsets is None:
            return None
        self._missed.found(topic)
        feed = TopicFeed(topic, offsets, self._load)
        look_from = max(offsets.first, offsets.end - LAST_RECORDS)
        while look_from < offsets.end:
            chunk = await feed.chunk_at(look_from)
            feed.closed = feed.closed if chunk.closed is None else chunk.closed
            look_from = chunk.next_offset
        self._feeds[topic] = feed
        self._follower.follow(topic, offsets.end)
        return feed

    def _close_if_unused(self, feed: TopicFeed) -> None:
        if feed.clients or self._feeds.get(feed.topic) is not feed:
            return
        del self._feeds[feed.topic]
        self._follower.unfollow(feed.topic)
        for key in [key for key in self._cache if key[0] == feed.topic]:
            self._cached_bytes -= self._cache.pop(key)

    def _load(self, topic: str, first: int, end: int) -> asyncio.Future[Chunk]:
        async def load() -> Chunk:
            chunk = await self._in_thread(lambda reader: reader.load(topic, first, end), prefer=(topic, first))
            self._remember(topic, chunk)
            return chunk

        return asyncio.ensure_future(load())

    def _arrived(self, topic: str, chunk: Chunk) -> None:
        feed = self._feeds.get(topic)
        if feed is not None and chunk.first_offset == feed.end:
            feed.arrived(chunk)
            self._remember(topic, chunk)

    def _lose(self, topic: str, reason: str) -> None:
        feed = self._feeds.pop(topic, None)
        if feed is not None:
            logger.warning("A topic is gone", extra={"action": "topic_gone", "topic": topic, "reason": reason})
            feed.lose(reason)

    def _remember(self, topic: str, chunk: Chunk) -> None:
        feed = self._feeds.get(topic)
        if feed is None:
            return
        feed.keep(chunk)
        size = len(chunk.encoded) + FRAME_BYTES * len(chunk.frames)
        key = (topic, chunk.first_offset)
        self._cached_bytes += size - self._cache.pop(key, 0)
        self._cache[key] = size
        while self._cached_bytes > self._cache_bytes and len(self._cache) > 1:
            (oldest_topic, oldest), freed = self._cache.popitem(last=False)
            self._cached_bytes -= freed
            if oldest_topic in self._feeds:
                self._feeds[oldest_topic].drop(oldest)

    async def _ask(self, question: Callable[[TopicReader], Result]) -> Result:
        refusals = self._follower.refusals  # it asks all the time, and so hears why connections fail
        try:
            answer = await self._in_thread(question)
        except KafkaException as error:
            raise KafkaAway(f"Kafka does not answer: {refusals.last or explained(error)}") from error
        refusals.forget()
        return answer

    async def _in_thread(
        self, work: Callable[[TopicReader], Result], *, prefer: tuple[str, int] | None = None
    ) -> Result:
        """Run `work` with a reader that nobody else uses, best one that stands where it will read."""

        def with_reader() -> Result:
            with self._choosing:
                reader = next((one for one in self._idle if one.at == prefer), self._idle[0])
                self._idle.remove(reader)
            try:
                return work(reader)
            finally:
                self._idle.append(reader)

        return await self._loop.run_in_executor(self._threads, with_reader)

    def _from_thread(self, function: Callable[..., None]) -> Callable[..., None]:
        def call(*arguments: object) -> None:
            self._loop.call_soon_threadsafe(function, *arguments)

        return call
