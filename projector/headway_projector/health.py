"""How the projector is: `/healthz`, `/metrics`, and the end of a process that is stuck.

Healthy means that it makes progress: its loop turns, PostgreSQL and Kafka take part, Faust has not crashed.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

logger = logging.getLogger(__name__)

STUCK_AFTER_S: Final = 60.0  # a round of the loop, waits included, takes a second at most; arbitrary beyond that
EXIT_STUCK: Final = 70  # EX_SOFTWARE: a supervisor starts the process anew


class Health:
    """What the projector's parts report, and what is answered from it."""

    def __init__(self) -> None:
        self._turned_at = time.monotonic()
        self._waiting_for: dict[str, str] = {}
        self._running = False
        self.registry = CollectorRegistry()
        self.events = Counter("headway_projector_events", "Events projected.", registry=self.registry)
        self.refused = Counter("headway_projector_dead_letters", "Records refused.", registry=self.registry)
        self.fenced = Counter("headway_projector_fenced", "Batches found moved on by another.", registry=self.registry)
        self.batches = Gauge("headway_projector_batches", "Batches being read.", registry=self.registry)
        self.commits = Histogram(
            "headway_projector_transaction_seconds", "Duration of one poll's transaction.", registry=self.registry
        )

    def turned(self) -> None:
        """The loop has ended a round, or tries again something that it waits for."""
        self._turned_at = time.monotonic()

    def running(self) -> None:
        """The start is over: batches are being read."""
        self._running = True

    def waits_for(self, what: str, reason: str) -> None:
        """A server is away."""
        self._waiting_for[what] = reason

    def has(self, what: str) -> None:
        """A server answers (again)."""
        self._waiting_for.pop(what, None)

    def wrong(self) -> dict[str, str]:
        """What is wrong, by what is concerned; empty when all is well."""
        wrong = dict(self._waiting_for)
        quiet_s = time.monotonic() - self._turned_at
        if quiet_s > STUCK_AFTER_S / 2:
            wrong["progress"] = f"no round of the loop has ended for {quiet_s:.0f} s"
        if not self._running:
            wrong.setdefault("start", "starting")
        return wrong

    def watch(self) -> None:
        """Start the watchdog: a thread that ends a process whose event loop or poll hangs."""
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def _watch(self) -> None:
        while time.monotonic() - self._turned_at < STUCK_AFTER_S:
            time.sleep(1)
        logger.critical(
            "No progress: the process ends, to be started anew", extra={"action": "stuck", "after_s": STUCK_AFTER_S}
        )
        os._exit(EXIT_STUCK)


async def serve(health: Health, host: str, port: int) -> Callable[[], Awaitable[None]]:
    """Answer `/healthz` and `/metrics`; the coroutine function that ends it.

    Raises:
        OSError: the port is taken.
    """

    async def healthz(_: web.Request) -> web.Response:
        wrong = health.wrong()
        return web.json_response({"status": "unhealthy" if wrong else "ok", **wrong}, status=503 if wrong else 200)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(health.registry), headers={"Content-Type": "text/plain; version=0.0.4"}
        )

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner.cleanup
