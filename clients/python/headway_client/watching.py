"""Watches a batch: keeps what is known of it current, from its stream and from what the API adds to that.

The counts are the stream's. The API tells what a batch is called, which records were refused, whether it is counted at
all, and the last events before the counting began. Without those the watching goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from headway_events import BadEvent, decode, resume

from headway_client.api import BatchInfo
from headway_client.client import HeadwayClient, converted
from headway_client.connection import Connection
from headway_client.errors import ClientError, NotFound
from headway_client.messages import Snapshot
from headway_client.watched import RecentEvent, Standing, Watched, recent_event

INFO_S: Final = 10.0  # between looks at what the stream does not tell
RETRY_S: Final = 2.0  # between looks for a batch that has not begun
EVERY_S: Final = 0.25  # at least, between two looks of a person
TICK_S: Final = 1.0  # at most: "stalled" and "since" change with time alone
OLDER_EVENTS: Final = "40"  # asked for to show 20: checkpoints and heartbeats among them are not shown
NO_SUCH_BATCH: Final = "/problems/NoSuchBatch"


async def watch(client: HeadwayClient, batch_id: int, *, begun: bool = True) -> AsyncGenerator[Watched, None]:
    """What is known of the batch, whenever that has changed and at least once a second, until the batch is finished.

    The same object each time. Its `standing` is final in the end: STOPPED where the gateway counts no further.

    Args:
        client: an open client.
        batch_id: the batch.
        begun: whether the batch must have begun; else it is waited for.

    Raises:
        Problem: the gateway refuses; NotFound for a batch that has not begun.
        GatewayAway, BadStream: as HeadwayClient.follow.
    """
    watching = _Watching(client, batch_id, begun)
    running = asyncio.create_task(watching.run())
    try:
        while not running.done():
            watching.watched.observe(now())
            yield watching.watched
            await asyncio.sleep(EVERY_S)
            await watching.changed()
        running.result()
        yield watching.watched
    finally:
        await _end(running)


async def look(client: HeadwayClient, batch_id: int) -> Watched:
    """What the API says of the batch now, once.

    Raises:
        Problem: the gateway refuses; NotFound for a batch that has not begun.
        GatewayAway, BadStream: as HeadwayClient.batch.
    """
    found = await client.get(f"/api/batches/{batch_id}")
    watched = Watched(batch_id)
    watched.info = converted(found, BatchInfo)
    watched.begin(resume(found))
    if watched.info.log_dropped_at is None:
        await _load_older(client, watched, found["nextOffset"])
    watched.stand(Standing.SEEN, now())
    return watched


def now() -> datetime:
    """The time."""
    return datetime.now(UTC)


class _Watching:
    """One watching."""

    def __init__(self, client: HeadwayClient, batch_id: int, begun: bool) -> None:
        self.watched = Watched(batch_id)
        self._client = client
        self._begun = begun
        self._address = f"/api/batches/{batch_id}"
        self._changed = asyncio.Event()
        self._look_now = asyncio.Event()
        self._older_before: int | None = None  # the offset before which events are still to be asked for

    async def changed(self) -> None:
        """Wait until something has changed, for a second at most."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), TICK_S)
        self._changed.clear()

    async def run(self) -> None:
        """Watch until nothing more is expected; raises what `watch` raises."""
        following, looking = asyncio.create_task(self._follow()), asyncio.create_task(self._keep_looking())
        try:
            await asyncio.wait({following, looking}, return_when=asyncio.FIRST_COMPLETED)
            if looking.done():
                looking.result()
                return
            following.result()
            await self._look()  # a batch that was finished before is through before the first look has ended
            if self.watched.standing is not Standing.STOPPED:
                self._stand(Standing.FINISHED)
        finally:
            await _end(following, looking)
            self._changed.set()

    async def _follow(self) -> None:
        while True:
            try:
                await self._follow_stream()
                return
            except NotFound as error:
                if self._begun or error.type != NO_SUCH_BATCH:
                    raise
                self._stand(Standing.UNKNOWN)
            await asyncio.sleep(RETRY_S)

    async def _follow_stream(self) -> None:
        source = self._client.receive(self.watched.batch_id, start="snapshot", on_connection=self._on_connection)
        async with aclosing(source) as received:
            async for messages in received:
                for message in messages:
                    self.watched.take(message)
                    if isinstance(message, Snapshot):
                        self._older_before = message.offset
                        self._look_now.set()
                self._changed.set()

    def _on_connection(self, connection: Connection) -> None:
        self._stand(Standing.LIVE if connection.live else Standing.OFFLINE, connection.reason)

    def _stand(self, standing: Standing, reason: str = "") -> None:
        self.watched.stand(standing, now(), reason)
        self._changed.set()

    async def _keep_looking(self) -> None:
        """Look again and again; returns when the batch is counted no further."""
        while self.watched.standing is not Standing.STOPPED:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._look_now.wait(), INFO_S)
            self._look_now.clear()
            await self._look()

    async def _look(self) -> None:
        """What the API says of the batch; nothing where it cannot be had at the moment."""
        with contextlib.suppress(ClientError):
            found = await self._client.get(self._address)
            self._inform(found)
            if self._older_before is not None and self.watched.info and self.watched.info.log_dropped_at is None:
                await self._load_older(self._older_before)
        self._changed.set()

    def _inform(self, found: dict[str, Any]) -> None:
        self.watched.info = converted(found, BatchInfo)
        if self.watched.info.problem is not None:  # what the stream goes on with is not of the batch that was counted
            self.watched.begin(resume(found))
            self._stand(Standing.STOPPED)

    async def _load_older(self, before: int) -> None:
        await _load_older(self._client, self.watched, before)
        if self._older_before == before:  # else counting has begun anew meanwhile
            self._older_before = None


async def _load_older(client: HeadwayClient, watched: Watched, before: int) -> None:
    address = f"/api/batches/{watched.batch_id}/events"
    for stage in list(watched.batch.stages):
        page = await client.get(address, stage=stage, before=str(before), order="desc", limit=OLDER_EVENTS)
        watched.add_older(stage, _older(page, watched.batch_id))


def _older(page: dict[str, Any], batch_id: int) -> list[RecentEvent]:
    found = []
    for logged in page["events"]:
        with contextlib.suppress(BadEvent):  # of a kind that only a newer version knows
            event = decode(msgspec.json.encode(logged["data"]), batch_id=batch_id)
            found.append(recent_event(str(logged["offset"]), event))
    return [one for one in found if one is not None]


async def _end(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
