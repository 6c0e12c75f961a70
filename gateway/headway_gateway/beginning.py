"""Where each batch of a stream begins, and what the client is told first: the counts so far, or that it starts anew."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Final

import msgspec

from headway_gateway import position, sse
from headway_gateway.errors import KafkaAway, LogDropped, NoSuchBatch
from headway_gateway.position import After, At, Beginning, Reset, Since, Start
from headway_gateway.replay import Replay, replay
from headway_gateway.store import Store
from headway_gateway.subscription import EventLane
from headway_gateway.topic_feed import FeedHub

FAILOVER_S: Final = 2.0  # for a new leader to learn how far its topic goes; one made anew is said to be so after it
ASK_AGAIN_S: Final = 0.1


class Beginnings:
    """Opens the batches of one stream where the client stands, or where it wants to begin."""

    def __init__(
        self,
        hub: FeedHub,
        store: Store,
        news: asyncio.Event,
        resumed: Mapping[int, After],
        start: Start,
        *,
        must_exist: bool,
    ) -> None:
        """Open nothing yet.

        Args:
            hub: the topics.
            store: the tables.
            news: set when a batch that was opened has grown.
            resumed: the batches of which the client has something already.
            start: where the others begin.
            must_exist: whether a batch of which there is nothing is an error.
        """
        self._hub = hub
        self._store = store
        self._news = news
        self._resumed = resumed
        self._start = start
        self._must_exist = must_exist
        self._messages: list[tuple[str, bytes]] = []

    async def open_lane(self, batch_id: int) -> EventLane | None:
        """A batch where it begins; None if there is nothing of it and that is no error.

        Raises:
            NoSuchBatch: it is neither in Kafka nor in PostgreSQL.
            LogDropped: what is asked for is kept no more.
            KafkaAway, DatabaseAway: what is needed does not answer.
        """
        async with AsyncExitStack() as stack:
            try:
                sequence = await stack.enter_async_context(replay(batch_id, self._hub, self._store))
            except NoSuchBatch:
                if self._must_exist:
                    raise
                return None
            stack.enter_context(sequence.watched(self._news))
            begin = await self._begin(batch_id, sequence)
            return EventLane(sequence, begin, stack.pop_all())

    def preface(self, positions: Mapping[int, int], *, composite: bool, enveloped: bool) -> bytes:
        """The messages that come before the events."""
        messages, self._messages = self._messages, []
        event_id = position.event_id(positions, several=composite)
        if not messages:
            known = self._resumed or self._start is Beginning.EARLIEST
            return b"" if known else sse.place(event_id)  # so that one cut off before the first event resumes here
        return sse.messages(messages, event_id, enveloped=enveloped)

    async def _begin(self, batch_id: int, sequence: Replay) -> int:
        """The offset to begin at; notes what the client must be told."""
        start: Start = self._resumed.get(batch_id, self._start)
        if start is Beginning.SNAPSHOT:
            data = await self._store.snapshot(batch_id)
            start = At(data["offset"])
            self._messages.append(("snapshot", msgspec.json.encode(data)))
        begin = await self._resolve(batch_id, start, sequence)
        if sequence.dropped and (isinstance(start, Since) or begin != sequence.end):
            raise LogDropped(batch_id)
        if isinstance(begin, Reset):
            details = {
                "batchId": batch_id,
                "reason": begin.reason,
                "requested": begin.requested,
                "from": begin.offset,
            }
            self._messages.append(("reset", msgspec.json.encode(details)))
            return begin.offset
        return begin

    async def _resolve(self, batch_id: int, start: Start, sequence: Replay) -> int | Reset:
        if isinstance(start, After | At):
            await self._catch_up(position.offset(start), sequence)
            return position.resolve(start, first=sequence.first, end=sequence.end)
        if isinstance(start, Since):
            found = None
            if sequence.archived:
                found = await self._store.offset_since(batch_id, start.timestamp)
            if found is None and sequence.topic is not None:
                found = await self._hub.offset_since(sequence.topic, start.timestamp)
            return sequence.end if found is None else found
        return sequence.end if start is Beginning.LATEST else sequence.first

    async def _catch_up(self, offset: int, sequence: Replay) -> None:
        """Wait for the feed to come to an offset that the topic has already.

        The tables, or another gateway that gave the id, can be ahead of this one by a moment. So can they be ahead of
        Kafka: a new leader learns a moment after the death of the old one how far records are committed.

        Raises:
            KafkaAway: the topic is missed.
        """
        if offset <= sequence.end:
            return
        if sequence.topic is None:
            if sequence.lost is not None:
                raise KafkaAway(sequence.lost)
            return
        deadline = time.monotonic() + FAILOVER_S
        while (offsets := await self._hub.offsets(sequence.topic)) is not None:
            if offset <= offsets.end:
                await sequence.more_than(offset - 1)
                return
            if time.monotonic() > deadline:
                return
            await asyncio.sleep(ASK_AGAIN_S)
