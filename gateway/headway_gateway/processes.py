"""Several gateways on one port, as one program: starts them, starts anew what dies, ends them all together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from asyncio.subprocess import Process
from typing import Final

logger = logging.getLogger(__name__)

RESTART_S: Final = 1.0  # after one has died: one that cannot start must not be started in a tight loop


async def run(count: int) -> None:
    """Keep so many gateways running until SIGTERM or SIGINT; then have them drain, and return when they have."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(_keep_running(stopped))


async def _keep_running(stopped: asyncio.Event) -> None:
    while not stopped.is_set():
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "headway_gateway", "run",
            env={**os.environ, "HEADWAY_GATEWAY_PROCESSES": "1", "HEADWAY_GATEWAY_REUSE_PORT": "1"},
        )  # fmt: skip
        if await _ended_by_itself(process, stopped):
            logger.error(
                "A gateway process ended by itself; starting another",
                extra={"action": "process_ended", "pid": process.pid, "status": process.returncode},
            )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), RESTART_S)


async def _ended_by_itself(process: Process, stopped: asyncio.Event) -> bool:
    """Wait until a process ends, and end it when it is time; whether it did so before."""
    ending = asyncio.ensure_future(process.wait())
    asked = asyncio.ensure_future(stopped.wait())
    await asyncio.wait({ending, asked}, return_when=asyncio.FIRST_COMPLETED)
    if ending.done():
        asked.cancel()
        return not stopped.is_set()
    process.terminate()
    await ending
    return False
