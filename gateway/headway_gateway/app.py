"""The composition of a gateway: routes, middlewares, start and drain."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from headway_gateway import cross_site, problems, security_headers
from headway_gateway.auth import Authenticator
from headway_gateway.connections import Runner, allow_files
from headway_gateway.errors import RequestError
from headway_gateway.gate import Handler, admit
from headway_gateway.keys import AUTHENTICATOR, HUB, LIMITS, LIVE, METRICS, PROGRESS, SETTINGS, STORE, STREAMS
from headway_gateway.limits import StreamLimits
from headway_gateway.live import LiveBatches
from headway_gateway.metrics import Metrics
from headway_gateway.progress import ProgressHub
from headway_gateway.routes import (
    batches,
    charts,
    dashboard,
    exports,
    files,
    health,
    history,
    log,
    metrics,
    reference,
    session,
    stream,
    workers,
)
from headway_gateway.settings import Settings
from headway_gateway.store import Store
from headway_gateway.streams import Streams
from headway_gateway.topic_feed import FeedHub

logger = logging.getLogger(__name__)

DRAIN_S: Final = 5.0  # for answers that are no streams to end
BACKLOG: Final = 1024  # connections that wait to be accepted, as when all clients of another gateway come at once


def make_app(settings: Settings) -> web.Application:
    """The application, not yet connected to anything."""
    app = web.Application(middlewares=[_answer_errors, admit])
    app[SETTINGS] = settings
    app[AUTHENTICATOR] = Authenticator(settings)
    app[LIMITS] = StreamLimits(settings.most_streams, settings.most_streams_by_address)
    app[METRICS] = Metrics()
    app[STREAMS] = Streams(settings.write_timeout_s, app[METRICS].cut_off)
    app.cleanup_ctx.append(_connect)
    app.on_response_prepare.extend([security_headers.add, cross_site.add_headers])
    app.router.add_get("/", dashboard.index)
    app.router.add_get("/api/stream", stream.stream, allow_head=False)  # which has no end to speak of
    app.router.add_get("/api/batches", batches.batches)
    app.router.add_get("/api/batches/{batch_id}", batches.batch)
    app.router.add_get("/api/batches/{batch_id}/stages", batches.stages)
    app.router.add_get("/api/batches/{batch_id}/events", log.events)
    app.router.add_get("/api/batches/{batch_id}/dead-letters", log.dead_letters)
    app.router.add_get("/api/batches/{batch_id}/files", files.files)
    app.router.add_get("/api/batches/{batch_id}/files/{file_name:(?s:.+)}", files.file)
    app.router.add_get("/api/batches/{batch_id}/errors", files.errors)
    app.router.add_get("/api/batches/{batch_id}/durations", charts.durations)
    app.router.add_get("/api/batches/{batch_id}/outcomes", charts.outcomes)
    app.router.add_get("/api/batches/{batch_id}/timeline", charts.over_time)
    app.router.add_get("/api/batches/{batch_id}/history", history.show)
    app.router.add_get("/api/batches/{batch_id}/errors/files", files.error_files)
    app.router.add_get("/api/batches/{batch_id}/workers", workers.workers)
    app.router.add_get("/api/batches/{batch_id}/export", exports.export)
    app.router.add_get("/api/openapi.json", reference.document)
    app.router.add_get("/api/docs", reference.page)
    app.router.add_get("/api/session", session.show)
    app.router.add_post("/api/session", session.log_in)
    app.router.add_delete("/api/session", session.log_out)
    app.router.add_post("/api/access-tokens", session.access_token)
    app.router.add_get("/healthz", health.healthz)
    app.router.add_get("/readyz", health.readyz)
    app.router.add_get("/metrics", metrics.metrics)
    app.router.add_get("/static/{name:.+}", dashboard.file)
    return app


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then drain.

    Raises:
        OSError: the address is taken or not this machine's.
    """
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    allow_files(settings.most_streams)
    app = make_app(settings)
    runner = Runner(app, access_log=None, handler_cancellation=True, shutdown_timeout=DRAIN_S)
    await runner.setup()
    try:
        site = web.TCPSite(
            runner, settings.host, settings.port, backlog=BACKLOG, reuse_port=settings.reuse_port or None
        )
        await site.start()
        logger.info("The gateway serves", extra={"action": "started", "host": settings.host, "port": settings.port})
        await stopped.wait()
        await site.stop()
        await app[STREAMS].drain()
    finally:
        await runner.cleanup()


async def _connect(app: web.Application) -> AsyncIterator[None]:
    settings = app[SETTINGS]
    app[STORE] = await Store.open(settings.database_url, silence_s=settings.export_timeout_s)
    app[HUB] = FeedHub(settings.connection, settings.names, settings.cache_bytes)
    app[LIVE] = LiveBatches(app[STORE])
    app[PROGRESS] = ProgressHub(app[HUB], app[STORE])
    sweeping = asyncio.create_task(app[STREAMS].sweep())
    yield
    sweeping.cancel()
    await app[PROGRESS].close()
    await app[HUB].close()
    await app[STORE].close()


@web.middleware
async def _answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Errors as problem details, for everything but the page's own files."""
    try:
        return await handler(request)
    except RequestError as error:
        request.app[METRICS].problems.labels(type(error).__name__).inc()
        headers = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
        return problems.response(problems.of_error(error), headers)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        headers = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
        return problems.response(problems.problem(error.status, error.reason), headers)
    except ConnectionResetError:
        return web.Response()  # the client has gone: nobody gets this, and it is no failure
    except Exception:
        if request.transport is None:
            raise
        logger.exception("A request failed", extra={"action": "request_failed", "path": request.path})
        return problems.response(problems.problem(500, "The gateway failed; its log says at what"))
