"""How the projector is: `/healthz`, `/metrics`, and the end of a process that is stuck.

Healthy means that it makes progress: its loop turns, PostgreSQL and Kafka take part, and no batch that has lag stands
still. A batch that stands still is for people to look at; a loop that does not turn ends the process.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from headway_projector.lag import Lag, Standing

logger = logging.getLogger(__name__)

STUCK_AFTER_S: Final = 60.0  # a round of the loop, waits included, takes a second at most; arbitrary beyond that
EXIT_STUCK: Final = 70  # EX_SOFTWARE: a supervisor starts the process anew
TOP_BATCHES: Final = 10  # whose lag is a time series of its own: with one for each batch Prometheus would drown
NAMED_BATCHES: Final = 5  # of those that stand still, in the words of `/healthz`
TRANSACTION_BUCKETS_S: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Health:
    """What the projector's parts report, and what is answered from it."""

    def __init__(self, *, stuck_after_s: float) -> None:
        """All is well, and nothing runs yet.

        Args:
            stuck_after_s: how long a batch with lag may make no progress.
        """
        self._stuck_after_s = stuck_after_s
        self._turned_at = time.monotonic()
        self._waiting_for: dict[str, str] = {}
        self._running = False
        self._lag = Lag()
        registry = self.registry = CollectorRegistry()
        self.events = Counter("headway_projector_events", "Events projected.", registry=registry)
        self.refused = Counter("headway_projector_dead_letters", "Records refused.", registry=registry)
        self.fenced = Counter("headway_projector_fenced", "Batches found moved on by another.", registry=registry)
        self.rebalances = Counter("headway_projector_rebalances", "Changes of the assignment.", registry=registry)
        self.retries = Counter("headway_projector_retries", "Attempts that failed.", ["server"], registry=registry)
        self.batches = Gauge("headway_projector_batches", "Batches being read.", registry=registry)
        self.owned = Gauge("headway_projector_owned_batches", "Batches owned, at rest or read.", registry=registry)
        self.commits = Histogram(
            "headway_projector_transaction_seconds",
            "Duration of one poll's transaction, retries included.",
            buckets=TRANSACTION_BUCKETS_S,
            registry=registry,
        )
        self._waiting = Gauge("headway_projector_waiting", "1 while it is away.", ["server"], registry=registry)
        lag = Gauge("headway_projector_lag_events", "Records not projected yet, of all batches.", registry=registry)
        lag.set_function(self._lag.total)
        self._batch_lag = Gauge(
            "headway_projector_batch_lag_events", "Likewise, of the batches furthest behind.", ["batch"],
            registry=registry,
        )  # fmt: skip
        no_progress = Gauge(
            "headway_projector_seconds_without_progress",
            "For how long the batch that has stood still the longest has been behind.",
            registry=registry,
        )
        no_progress.set_function(lambda: self._lag.seconds_without_progress(time.monotonic()))

    def turned(self) -> None:
        """The loop has ended a round, or tries again something that it waits for."""
        self._turned_at = time.monotonic()

    def running(self) -> None:
        """The start is over: batches are being read."""
        self._running = True

    def waits_for(self, what: str, reason: str) -> None:
        """A server is away."""
        self._waiting_for[what] = reason
        self._waiting.labels(what).set(1)
        self.retries.labels(what).inc()

    def has(self, what: str) -> None:
        """A server answers (again)."""
        if self._waiting_for.pop(what, None) is not None:
            self._waiting.labels(what).set(0)

    def stands(self, standings: Mapping[int, Standing]) -> None:
        """Where every batch owned stands."""
        self._lag.observe(standings, time.monotonic())
        self.owned.set(len(standings))
        self._batch_lag.clear()
        for batch_id, lag in self._lag.top(TOP_BATCHES):
            self._batch_lag.labels(str(batch_id)).set(lag)

    def wrong(self) -> dict[str, str]:
        """What is wrong, by what is concerned; empty when all is well."""
        wrong = dict(self._waiting_for)
        quiet_s = time.monotonic() - self._turned_at
        if quiet_s > STUCK_AFTER_S / 2:
            wrong["progress"] = f"no round of the loop has ended for {quiet_s:.0f} s"
        if stuck := self._lag.stuck(time.monotonic(), self._stuck_after_s):
            named = ", ".join(map(str, stuck[:NAMED_BATCHES])) + (", ..." if len(stuck) > NAMED_BATCHES else "")
            wrong["lag"] = f"{len(stuck)} batches are behind without progress for {self._stuck_after_s:g} s: {named}"
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
        return web.Response(body=generate_latest(health.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner.cleanup
