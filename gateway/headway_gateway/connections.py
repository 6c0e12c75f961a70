"""Connections: how long one may be idle, and what is answered to those who do not speak HTTP.

aiohttp closes a connection on which no whole request has come for `idle_timeout_s`, however slowly parts of one come.
"""

from __future__ import annotations

import asyncio
import logging
import resource
from typing import Any, Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from headway_gateway import problems
from headway_gateway.keys import METRICS, SETTINGS
from headway_gateway.security_headers import SECURITY_HEADERS

logger = logging.getLogger(__name__)

OTHER_FILES: Final = 200  # beside streams: Kafka, PostgreSQL, requests that are answered at once; generous


def allow_files(streams: int) -> None:
    """Let the process have as many files open as it may have streams, as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = streams + OTHER_FILES
    if hard != resource.RLIM_INFINITY and hard < wanted:
        extra = {"action": "few_files", "open_files": hard, "needed": wanted}
        logger.warning("The system allows fewer open files than HEADWAY_GATEWAY_MOST_STREAMS needs", extra=extra)
        wanted = hard
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Connection(web.RequestHandler):
    """A connection whose bad requests are answered with a problem; the log does not repeat them: they may be secret."""

    __slots__ = ()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """The answer to a request that cannot be read or whose handler has failed."""
        if not isinstance(exc, HttpProcessingError) or request.writer.output_size:
            return super().handle_error(request, status, exc, message)
        reason = type(exc).__name__
        logger.info("A request is no HTTP", extra={"action": "no_http", "remote": request.remote, "reason": reason})
        if isinstance(exc, LineTooLong):
            document = problems.problem(431, "The address or a header is too long")
        else:
            document = problems.problem(400, f"This is no HTTP request: {reason}")
        response = problems.response(document, {**SECURITY_HEADERS, "Connection": "close"})
        response.force_close()
        return response


class _Server(web.Server):
    def __init__(self, made: web.Server, app: web.Application) -> None:
        super().__init__(
            made.request_handler, request_factory=made.request_factory, handler_cancellation=made.handler_cancellation
        )
        self._connection_gauge = app[METRICS].connections
        # No access log: addresses can be secret.
        self._options: dict[str, Any] = {"access_log": None, "keepalive_timeout": app[SETTINGS].idle_timeout_s}

    def __call__(self) -> web.RequestHandler:
        return Connection(self, loop=asyncio.get_running_loop(), **self._options)

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        self._connection_gauge.inc()
        super().connection_made(handler, transport)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        self._connection_gauge.dec()
        super().connection_lost(handler, exc)


class Runner(web.AppRunner):
    """Runs the application on such connections."""

    async def _make_server(self) -> web.Server:
        return _Server(await super()._make_server(), self.app)
