"""The counts of batches as they change: one fold for each batch, however many clients watch it.

It begins with the counts in PostgreSQL, or with the first event where PostgreSQL does not answer, and folds what comes.
A stage under way takes 100 bytes of memory for each of its files, as a file that is reported twice must count once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Final
from weakref import WeakValueDictionary

from headway_events import BatchState, decode, fold_batch, resume
from headway_events.events import BatchComplete

from headway_gateway import sse
from headway_gateway.counts import StageStanding
from headway_gateway.errors import DatabaseAway, RequestError
from headway_gateway.replay import Replay, replay
from headway_gateway.sse import Chunk
from headway_gateway.store import Store
from headway_gateway.topic_feed import FeedHub

logger = logging.getLogger(__name__)

KEEP_S: Final = 30.0  # how long a batch that nobody watches is counted on, for the next one


class BatchProgress:
    """The counts of one batch, after the events below `position`."""

    def __init__(self, batch_id: int, sequence: Replay, state: BatchState, position: int) -> None:
        self.batch_id = batch_id
        self.position = position
        self.stages = {stage: StageStanding(batch_id, stage, runs[-1]) for stage, runs in state.stages.items()}
        """How each stage stands."""
        self.closed = state.closed
        """Whether the batch is closed."""
        self.failure: RequestError | None = None
        """Why it counts no more, though the batch goes on."""
        self.watching = 0
        self._sequence = sequence
        self._state = state
        self._watchers: set[asyncio.Event] = set()

    @property
    def is_current(self) -> bool:
        """Whether it has counted all that there is."""
        return self.position >= self._sequence.end

    @property
    def is_over(self) -> bool:
        """Whether nothing will change any more."""
        return self._sequence.ended and self.is_current

    @contextmanager
    def watched(self, news: asyncio.Event) -> Iterator[None]:
        """Have `news` set whenever the counts have changed, or cannot any more."""
        self._watchers.add(news)
        self.watching += 1
        try:
            yield
        finally:
            self.watching -= 1
            self._watchers.discard(news)

    async def run(self) -> None:
        """Count on, until the batch is over or its events cannot be had."""
        try:
            await self._count()
        except RequestError as error:
            self.failure = error
        except Exception:
            logger.exception("Counting a batch failed", extra={"action": "count_failed", "batch_id": self.batch_id})
            self.failure = RequestError("The gateway failed; its log says at what")
        self._wake()

    async def _count(self) -> None:
        news = asyncio.Event()
        with self._sequence.watched(news):
            while True:
                news.clear()
                while self.position < self._sequence.end:
                    chunk = await self._sequence.chunk_at(self.position)
                    changed = await asyncio.to_thread(self._fold, chunk)
                    self.stages = {**self.stages, **changed}
                    self.closed = self._state.closed
                    self.position = chunk.next_offset
                    self._wake()
                if self._sequence.lost is not None:
                    self.failure = RequestError(self._sequence.lost)
                    return
                await news.wait()

    def _fold(self, chunk: Chunk) -> dict[str, StageStanding]:
        """Fold a chunk's events from the position on; how the stages that they changed stand."""
        changed = set()
        for frame in chunk.frames:
            if frame.offset < self.position:
                continue
            event = decode(sse.data_of(chunk, frame), batch_id=self.batch_id)
            fold_batch(self._state, event)
            if not isinstance(event, BatchComplete):
                changed.add(event.stage)
        return {stage: StageStanding(self.batch_id, stage, self._state.current(stage)) for stage in changed}

    def _wake(self) -> None:
        for news in self._watchers:
            news.set()


class ProgressHub:
    """The batches that are being counted."""

    def __init__(self, hub: FeedHub, store: Store) -> None:
        self._hub = hub
        self._store = store
        self._running: dict[int, tuple[BatchProgress, asyncio.Task[None]]] = {}
        self._opening: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def batch(self, batch_id: int, news: asyncio.Event) -> AsyncIterator[BatchProgress]:
        """A batch's counts; `news` is set when they have changed.

        Raises:
            NoSuchBatch: it is neither in Kafka nor in PostgreSQL.
            KafkaAway, DatabaseAway: what is needed to count does not answer.
        """
        async with self._opening.setdefault(batch_id, asyncio.Lock()):
            progress, task = self._running.get(batch_id, (None, None))
            if progress is None or task is None or task.done():
                progress = await self._begin(batch_id)
        try:
            with progress.watched(news):
                yield progress
        finally:
            if not progress.watching:
                asyncio.get_running_loop().call_later(KEEP_S, self._end_if_unwatched, progress)

    async def close(self) -> None:
        """Count nothing any more."""
        tasks = [task for _, task in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _begin(self, batch_id: int) -> BatchProgress:
        async with AsyncExitStack() as stack:
            sequence = await stack.enter_async_context(replay(batch_id, self._hub, self._store))
            state, position = await self._counted(batch_id, sequence)
            progress = BatchProgress(batch_id, sequence, state, position)
            task = asyncio.create_task(self._run(progress, stack.pop_all()))
        self._running[batch_id] = (progress, task)
        return progress

    async def _counted(self, batch_id: int, sequence: Replay) -> tuple[BatchState, int]:
        """What is counted already, and up to which offset."""
        try:
            data = await self._store.snapshot(batch_id)
        except DatabaseAway:
            if sequence.first:
                raise  # what has expired in the topic cannot be counted any more
            return BatchState(), 0
        return resume(data), max(data["offset"], sequence.first)

    async def _run(self, progress: BatchProgress, held: AsyncExitStack) -> None:
        async with held:
            await progress.run()

    def _end_if_unwatched(self, progress: BatchProgress) -> None:
        running, task = self._running.get(progress.batch_id, (None, None))
        if running is progress and task is not None and not progress.watching:
            del self._running[progress.batch_id]
            task.cancel()
