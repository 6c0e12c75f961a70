"""Sends the events of one batch, or of several, to one client: history, then what comes, each batch in its order."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from headway_gateway import position, sse
from headway_gateway.client import RETRY_MS, Client
from headway_gateway.lanes import Lanes
from headway_gateway.replay import Replay
from headway_gateway.selection import Selection

GATHER_BYTES: Final = 256 * 1024  # of small chunks, for one write; then it is the next batch's turn


@dataclass
class EventLane:
    """One batch of a stream of events."""

    replay: Replay
    position: int
    held: AsyncExitStack

    @property
    def is_over(self) -> bool:
        """Whether nothing will follow what was sent."""
        return self.position >= self.replay.end and self.replay.ended

    async def close(self) -> None:
        """Give up what it holds."""
        await self.held.aclose()


class Subscription:
    """The events of some batches, for one client."""

    def __init__(self, client: Client, lanes: Lanes[EventLane], selection: Selection, *, composite: bool) -> None:
        """Send nothing yet.

        Args:
            client: who gets them.
            lanes: the batches, each from its position on.
            selection: which events, and in which form.
            composite: whether ids say where every batch stands.
        """
        self._client = client
        self._lanes = lanes
        self._selection = selection
        self._composite = composite

    async def run(self, preface: bytes) -> None:
        """Send `preface`, then everything from the lanes' positions on, as it comes; returns at the stream's end.

        Raises:
            KafkaAway, DatabaseAway: a source does not answer; the client shall come again.
            ConnectionError: the client has gone.
        """
        await self._client.send(sse.retry(RETRY_MS) + preface)
        while True:
            self._client.news.clear()
            await self._lanes.refresh()
            lanes = list(self._lanes.by_batch.items())
            behind = [(batch_id, lane) for batch_id, lane in lanes if lane.position < lane.replay.end]
            for batch_id, lane in behind:
                await self._send_from(batch_id, lane)
            if behind:
                continue
            if self._lanes.are_over or any(lane.replay.lost is not None for _, lane in lanes):
                if self._selection.leaves_out:  # else the client would ask for what was left out for ever
                    await self._client.send(sse.place(self._event_id()))
                return
            await self._client.wait(self._lanes.look_s)

    async def _send_from(self, batch_id: int, lane: EventLane) -> None:
        """Send the next events of a batch. Its position is that after them only when they are sent."""
        messages, reached = await self._gather(batch_id, lane)
        if messages:
            await self._client.send(messages)
        lane.position = reached

    async def _gather(self, batch_id: int, lane: EventLane) -> tuple[bytes | memoryview, int]:
        """The next messages, and the offset after them. No more is held while they are sent: the client may be slow."""
        parts: list[bytes | memoryview] = []
        size, reached = 0, lane.position
        event_id = self._composite_ids(batch_id) if self._composite else None
        while reached < lane.replay.end and size < GATHER_BYTES:
            chunk = await lane.replay.chunk_at(reached)
            part = self._selection.of(chunk, reached, event_id)
            reached = chunk.next_offset
            if part:
                parts.append(part)
                size += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts), reached

    def _event_id(self) -> bytes:
        return position.event_id(self._lanes.positions, several=self._composite)

    def _composite_ids(self, batch_id: int) -> Callable[[int], bytes]:
        """What gives the composite id of each event of a batch, while all others stand where they do."""
        before, after = position.composite_around(self._lanes.positions, batch_id)
        return lambda offset: b"%b%d%b" % (before, offset, after)
