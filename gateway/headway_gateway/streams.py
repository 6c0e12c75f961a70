"""The streams that are being served: cuts off clients that stand still, and lets all say goodbye at the end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from headway_gateway.client import Client

logger = logging.getLogger(__name__)

SWEEP_S: Final = 1.0
GOODBYE_S: Final = 5.0


class Streams:
    """The tasks that serve a stream now, and their clients."""

    def __init__(self, write_timeout_s: float) -> None:
        self._write_timeout_s = write_timeout_s
        self._running: dict[asyncio.Task[object], tuple[web.Request, Client]] = {}
        self._ending = False

    @asynccontextmanager
    async def serving(self, request: web.Request, client: Client) -> AsyncIterator[None]:
        """Let this task serve a stream, until it ends, or the gateway does: then it says goodbye."""
        task = asyncio.current_task()
        assert task is not None
        self._running[task] = (request, client)
        try:
            yield
        except asyncio.CancelledError:
            if not self._ending:
                raise  # the client has gone
            task.uncancel()
            await client.say_goodbye()
        finally:
            del self._running[task]

    def __len__(self) -> int:
        """How many there are."""
        return len(self._running)

    async def sweep(self) -> None:
        """Cut off those clients that take nothing, for ever. One task for all: a timer for each write costs more."""
        while True:
            await asyncio.sleep(SWEEP_S)
            for request, client in list(self._running.values()):
                if client.stands_still(self._write_timeout_s) and request.transport is not None:
                    logger.warning(
                        "A client was too slow and is cut off",
                        extra={"action": "client_cut_off", "remote": request.remote, "path": request.path},
                    )
                    request.transport.abort()

    async def drain(self) -> None:
        """End every stream so that its client comes again, to another gateway."""
        self._ending = True
        tasks = list(self._running)
        for task in tasks:
            task.cancel()
        if tasks:
            logger.info("Ending the streams", extra={"action": "drain", "streams": len(tasks)})
            await asyncio.wait(tasks, timeout=GOODBYE_S)
