"""The batches of one stream: those that were asked for, or all that are live, which come and go."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection
from typing import Final, Generic, Protocol, TypeVar

from headway_gateway.client import HEARTBEAT_S
from headway_gateway.errors import DatabaseAway
from headway_gateway.live import LOOK_S, LiveBatches


class Lane(Protocol):
    """One batch of a stream."""

    @property
    def is_over(self) -> bool:
        """Whether nothing will follow what was sent."""
        ...

    @property
    def position(self) -> int:
        """The offset after the last one that the client has."""
        ...

    async def close(self) -> None:
        """Give up what it holds."""
        ...


LaneT = TypeVar("LaneT", bound=Lane)


class Lanes(Generic[LaneT]):
    """The batches of one stream, by id."""

    def __init__(self, open_lane: Callable[[int], Awaitable[LaneT | None]], live: LiveBatches | None) -> None:
        """No batch yet.

        Args:
            open_lane: makes the lane of a batch; None if there is nothing of it.
            live: where the stream is one of all live batches.
        """
        self._open_lane = open_lane
        self._live = live
        self._looked_at = time.monotonic()
        self.by_batch: dict[int, LaneT] = {}
        self.look_s: Final = HEARTBEAT_S if live is None else LOOK_S
        """How long `refresh` may wait, in seconds."""

    @property
    def positions(self) -> dict[int, int]:
        """Where the client stands in each batch."""
        return {batch_id: lane.position for batch_id, lane in self.by_batch.items()}

    @property
    def are_over(self) -> bool:
        """Whether nothing will follow in any of them, nor any other come."""
        return self._live is None and all(lane.is_over for lane in self.by_batch.values())

    async def add(self, batch_ids: Collection[int]) -> None:
        """Have these batches too, one after the other: each is asked of Kafka."""
        for batch_id in batch_ids:
            lane = await self._open_lane(batch_id)
            if lane is not None:
                self.by_batch[batch_id] = lane

    async def refresh(self) -> None:
        """Add the batches that have become live, and leave those that have ended.

        One that has ended stays as long as the tables call it live: a client that came again would begin it anew.

        Raises:
            KafkaAway: Kafka does not answer.
        """
        if self._live is None or time.monotonic() - self._looked_at < LOOK_S:
            return
        self._looked_at = time.monotonic()
        try:
            live = await self._live.now()
        except DatabaseAway:
            return  # those that are there go on
        for batch_id in [number for number, lane in self.by_batch.items() if lane.is_over and number not in live]:
            await self.by_batch.pop(batch_id).close()
        await self.add(sorted(live - self.by_batch.keys()))

    async def close(self) -> None:
        """Leave all batches."""
        for lane in self.by_batch.values():
            await lane.close()
