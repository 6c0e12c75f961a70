"""One client of a stream: how bytes reach it, and how long it may take to take them."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final

from headway_gateway import sse
from headway_gateway.compression import Compressor

WRITE_BYTES: Final = 64 * 1024  # at a time: what a client that stands still can make us hold
HEARTBEAT_S: Final = 15.0  # well below the minute after which proxies give up a quiet connection
RETRY_MS: Final = 2000
SPREAD_MS: Final = 3000  # after a drain: so that not all clients come to the next gateway at once

Write = Callable[[bytes | memoryview], Awaitable[None]]


class Client:
    """Takes whole messages, as fast as it can."""

    def __init__(self, write: Write, compressor: Compressor | None = None) -> None:
        """Send nothing yet.

        Args:
            write: sends bytes; returns when the connection has taken all but a little of them.
            compressor: what the client has asked its bytes to go through.
        """
        self._write = write
        self._compressor = compressor
        self._sent_at = 0.0
        self._is_sending = False
        self._between_messages = True
        self.news = asyncio.Event()
        """Set by what the client waits for."""

    async def send(self, messages: bytes | memoryview) -> None:
        """Send messages; returns when the connection has taken all but a little of them.

        Raises:
            ConnectionError: the client has gone.
        """
        self._between_messages = False
        if len(messages) <= WRITE_BYTES:
            await self._send(messages)
        else:
            view = memoryview(messages)
            for begin in range(0, len(view), WRITE_BYTES):
                await self._send(view[begin : begin + WRITE_BYTES])
        self._between_messages = True

    async def wait(self, longest_s: float = HEARTBEAT_S) -> None:
        """Wait for news, for so long at most. A connection that was quiet for long gets a heartbeat.

        Raises:
            ConnectionError: the client has gone.
        """
        heartbeat_s = max(0.0, self._sent_at + HEARTBEAT_S - time.monotonic())
        try:
            async with asyncio.timeout(min(longest_s, heartbeat_s)):
                await self.news.wait()
        except TimeoutError:
            if time.monotonic() - self._sent_at >= HEARTBEAT_S:
                await self._send(sse.HEARTBEAT)

    async def finish(self) -> None:
        """Nothing follows.

        Raises:
            ConnectionError: the client has gone.
        """
        if self._compressor is not None:
            await self._write(self._compressor.finish())

    async def say_goodbye(self) -> None:
        """The gateway ends: have the client come again, to another, in a while of its own."""
        if self._between_messages:  # else the client gets the message that was cut when it resumes
            await self._send(sse.retry(random.randint(0, SPREAD_MS)))  # noqa: S311 - spreads load

    def stands_still(self, longest_s: float) -> bool:
        """Whether it has taken nothing of what was sent for longer than that."""
        return self._is_sending and time.monotonic() - self._sent_at > longest_s

    async def _send(self, data: bytes | memoryview) -> None:
        self._sent_at = time.monotonic()
        self._is_sending = True
        await self._write(data if self._compressor is None else self._compressor.compress(data))
        self._is_sending = False
