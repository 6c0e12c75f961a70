"""The streams that are being served: cuts off clients that stand still, and lets all say goodbye at the end."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web
from prometheus_client import Counter

from headway_gateway.client import Client

logger = logging.getLogger(__name__)

SWEEP_S: Final = 1.0
GOODBYE_S: Final = 5.0
MOST_TIMER_S: Final = 30 * 24 * 60 * 60.0  # event loops cannot wait for ever; a client that comes again is harmless


class Streams:
    """The tasks that serve a stream now, and their clients."""

    def __init__(self, write_timeout_s: float, cut_off: Counter) -> None:
        """No stream yet.

        Args:
            write_timeout_s: how long a client may take nothing of what was sent.
            cut_off: counts those that took longer.
        """
        self._write_timeout_s = write_timeout_s
        self._cut_off = cut_off
        self._running: dict[asyncio.Task[object], tuple[web.Request, Client]] = {}
        self._ended: set[asyncio.Task[object]] = set()

    @asynccontextmanager
    async def serving(self, request: web.Request, client: Client, expires_at: float | None) -> AsyncIterator[None]:
        """Let this task serve a stream, until it ends, or the gateway or the client's token does: then say goodbye."""
        task = asyncio.current_task()
        assert task is not None
        self._running[task] = (request, client)
        expiry = None
        if expires_at is not None:
            in_s = min(expires_at - time.time(), MOST_TIMER_S)
            expiry = asyncio.get_running_loop().call_later(in_s, self._end, task)
        try:
            yield
        except asyncio.CancelledError:
            if task not in self._ended:
                raise  # the client has gone
            task.uncancel()
            await client.say_goodbye()
        finally:
            if expiry is not None:
                expiry.cancel()
            del self._running[task]
            self._ended.discard(task)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._running)

    async def sweep(self) -> None:
        """Cut off those clients that take nothing, for ever. One task for all: a timer for each write costs more."""
        while True:
            await asyncio.sleep(SWEEP_S)
            for request, client in list(self._running.values()):
                if client.stands_still(self._write_timeout_s) and request.transport is not None:
                    self._cut_off.inc()
                    logger.warning(
                        "A client was too slow and is cut off",
                        extra={"action": "client_cut_off", "remote": request.remote, "path": request.path},
                    )
                    request.transport.abort()

    async def drain(self) -> None:
        """End every stream so that its client comes again, to another gateway."""
        tasks = list(self._running)
        for task in tasks:
            self._end(task)
        if tasks:
            logger.info("Ending the streams", extra={"action": "drain", "streams": len(tasks)})
            await asyncio.wait(tasks, timeout=GOODBYE_S)

    def _end(self, task: asyncio.Task[object]) -> None:
        if task in self._running:
            self._ended.add(task)
            task.cancel()
