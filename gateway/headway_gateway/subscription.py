"""One client of one stream: which events it gets, in which form, and how long it may take to take them."""

from __future__ import annotations

import asyncio
import bisect
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from headway_gateway import sse
from headway_gateway.replay import Replay
from headway_gateway.sse import Chunk, Frame

WRITE_BYTES: Final = 64 * 1024  # at a time: what a client that stands still can make us hold
GATHER_BYTES: Final = 256 * 1024  # of small chunks, for one write
HEARTBEAT_S: Final = 15.0  # well below the minute after which proxies give up a quiet connection
RETRY_MS: Final = 2000
SPREAD_MS: Final = 3000  # after a drain: so that not all clients come to the next gateway at once

Write = Callable[[bytes | memoryview], Awaitable[None]]


@dataclass(frozen=True)
class Selection:
    """What of each chunk a client wants."""

    stages: frozenset[str] = frozenset()  # empty: all
    event_types: frozenset[str] = frozenset()  # empty: all
    enveloped: bool = False

    def of(self, chunk: Chunk, position: int) -> bytes | memoryview:
        """The client's part of a chunk, from an offset on."""
        frames = chunk.frames
        begin = 0
        if position > chunk.first_offset:
            begin = bisect.bisect_left(frames, position, key=lambda frame: frame.offset)
        if not (self.stages or self.event_types or self.enveloped):
            if not begin:
                return chunk.encoded
            return memoryview(chunk.encoded)[frames[begin].begin :] if begin < len(frames) else b""
        wanted = [frame for frame in frames[begin:] if self._wants(frame)]
        if self.enveloped:
            return b"".join(sse.envelope(chunk, frame) for frame in wanted)
        return b"".join(chunk.encoded[frame.begin : frame.end] for frame in wanted)

    def _wants(self, frame: Frame) -> bool:
        return (not self.stages or frame.stage in self.stages or frame.stage is None) and (
            not self.event_types or frame.event_type in self.event_types
        )


class ClientTooSlow(Exception):
    """The client did not take what was sent in time; it can resume where it was."""


class Subscription:
    """Sends a replay to one client, until its end, the client's, or the gateway's."""

    def __init__(self, replay: Replay, selection: Selection, write: Write, write_timeout_s: float) -> None:
        self._replay = replay
        self._selection = selection
        self._write = write
        self._write_timeout_s = write_timeout_s
        self._between_frames = True

    async def run(self, position: int, preface: bytes) -> None:
        """Send `preface`, then everything from `position` on, as it comes; returns at the stream's end.

        Raises:
            ClientTooSlow: see there.
            KafkaAway, DatabaseAway: a source does not answer; the client shall come again.
            ConnectionError: the client has gone.
        """
        await self._send(sse.retry(RETRY_MS) + preface)
        while True:
            if position >= self._replay.end:
                if self._replay.ended or self._replay.lost is not None:
                    return
                await self._wait(position)
            else:
                position = await self._send_from(position)

    async def say_goodbye(self) -> None:
        """The gateway ends: have the client come again, to another, in a while of its own."""
        if self._between_frames:  # else the client gets the event that was cut when it resumes
            await self._send(sse.retry(random.randint(0, SPREAD_MS)))  # noqa: S311 - spreads load

    async def _send_from(self, position: int) -> int:
        parts: list[bytes | memoryview] = []
        size = 0
        while position < self._replay.end and size < GATHER_BYTES:
            chunk = await self._replay.chunk_at(position)
            part = self._selection.of(chunk, position)
            position = chunk.next_offset
            if part:
                parts.append(part)
                size += len(part)
        if parts:
            await self._send(parts[0] if len(parts) == 1 else b"".join(parts))
        return position

    async def _wait(self, position: int) -> None:
        try:
            async with asyncio.timeout(HEARTBEAT_S):
                await self._replay.more_than(position)
        except TimeoutError:
            await self._send(sse.HEARTBEAT)

    async def _send(self, data: bytes | memoryview) -> None:
        self._between_frames = False
        view = memoryview(data)
        for begin in range(0, len(view), WRITE_BYTES):
            try:
                async with asyncio.timeout(self._write_timeout_s):
                    await self._write(view[begin : begin + WRITE_BYTES])
            except TimeoutError:
                raise ClientTooSlow from None
        self._between_frames = True
