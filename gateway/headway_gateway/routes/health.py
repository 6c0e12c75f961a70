"""`GET /healthz` (Kafka and PostgreSQL answer) and `/readyz` (this process serves)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from aiohttp import web

from headway_gateway.errors import RequestError
from headway_gateway.keys import HUB, STORE, STREAMS


async def healthz(request: web.Request) -> web.Response:
    """200 when both servers answer, else 503 with what is wrong."""
    kafka, database = await asyncio.gather(
        _wrong(request.app[HUB].ping()),
        _wrong(request.app[STORE].ping()),
    )
    wrong = {name: reason for name, reason in (("kafka", kafka), ("postgresql", database)) if reason is not None}
    document = {"status": "unhealthy" if wrong else "ok", "streams": len(request.app[STREAMS]), **wrong}
    return web.json_response(document, status=503 if wrong else 200)


async def readyz(_: web.Request) -> web.Response:
    """200: the process serves, even if what it serves from does not answer."""
    return web.json_response({"status": "ok"})


async def _wrong(answer: Awaitable[None]) -> str | None:
    try:
        await answer
    except RequestError as error:
        return str(error)
    return None
