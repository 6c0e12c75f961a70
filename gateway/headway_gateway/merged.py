"""`mode=progress`: the counts of stages, merged, at the client's rate, in place of an event for each file."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import msgspec
from headway_events import encode
from headway_events.events import BatchComplete

from headway_gateway import position, sse
from headway_gateway.client import RETRY_MS, Client
from headway_gateway.counts import Limits, StageCounts
from headway_gateway.lanes import Lanes
from headway_gateway.progress import BatchProgress
from headway_gateway.selection import Selection

TICK_S: Final = 0.001  # after the moment up to which something is not too long yet

_encode: Final = msgspec.json.Encoder().encode


@dataclass
class ProgressLane:
    """One batch of a stream of counts."""

    progress: BatchProgress
    held: AsyncExitStack
    position: int = 0
    sent: dict[str, StageCounts] = field(default_factory=dict)
    closing_sent: bool = False

    @property
    def is_over(self) -> bool:
        """Whether nothing will follow what was sent."""
        return self.progress.is_over and self.position >= self.progress.position

    async def close(self) -> None:
        """Give up what it holds."""
        await self.held.aclose()

    def due(self, selection: Selection, now: datetime, limits: Limits) -> list[tuple[str, bytes]]:
        """The messages that make the client's counts current, as sent from now on: name and data of each."""
        messages = []
        self.position = self.progress.position
        for stage, standing in self.progress.stages.items():
            current = standing.at(now, limits)
            if selection.wants_stage(stage) and self.sent.get(stage) != current:
                self.sent[stage] = current
                messages.append(("progress", _encode(current)))
        if self.progress.closed and self.is_over and not self.closing_sent:
            messages.append(("batch_complete", encode(BatchComplete(batch_id=self.progress.batch_id))))
        self.closing_sent = self.progress.closed and self.is_over
        return messages

    def quiet_s(self, now: datetime, limits: Limits) -> float:
        """Seconds until the clock alone changes the counts: that a stage has become stalled is no event."""
        moments = [standing.changes_at(now, limits) for standing in self.progress.stages.values()]
        return (min(moments) - now).total_seconds() + TICK_S if moments else float("inf")


class ProgressSubscription:
    """The counts of some batches, for one client."""

    def __init__(
        self,
        client: Client,
        lanes: Lanes[ProgressLane],
        selection: Selection,
        *,
        composite: bool,
        every_s: float,
        limits: Limits,
    ) -> None:
        """Send nothing yet.

        Args:
            client: who gets them.
            lanes: the batches.
            selection: of which stages, and in which form.
            composite: whether ids say where every batch stands.
            every_s: the least time between two messages of one stage.
            limits: how long a stage or a worker is quiet until the client is told.
        """
        self._client = client
        self._lanes = lanes
        self._selection = selection
        self._composite = composite
        self._every_s = every_s
        self._limits = limits

    async def run(self) -> None:
        """Send the counts as they are, and what becomes of them; returns at the stream's end.

        Raises:
            RequestError: the events of a batch cannot be had any more; the client shall come again.
            ConnectionError: the client has gone.
        """
        await self._client.send(sse.retry(RETRY_MS))
        while True:
            self._client.news.clear()
            await self._lanes.refresh()
            begun = time.monotonic()
            if messages := self._due():
                await self._client.send(messages)
            for lane in self._lanes.by_batch.values():
                if lane.progress.failure is not None:
                    raise lane.progress.failure
            if self._lanes.are_over:
                return
            await self._client.wait(min(self._lanes.look_s, self._quiet_s()))
            await asyncio.sleep(begun + self._every_s - time.monotonic())

    def _due(self) -> bytes:
        """The messages to send now."""
        now = datetime.now(UTC)
        messages = [
            message
            for lane in self._lanes.by_batch.values()
            for message in lane.due(self._selection, now, self._limits)
        ]
        if not messages:
            return b""
        event_id = position.event_id(self._lanes.positions, several=self._composite)
        return sse.messages(messages, event_id, enveloped=self._selection.enveloped)

    def _quiet_s(self) -> float:
        now = datetime.now(UTC)
        return min((lane.quiet_s(now, self._limits) for lane in self._lanes.by_batch.values()), default=float("inf"))
