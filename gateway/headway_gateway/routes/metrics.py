"""`GET /metrics`: what the gateway counts, for Prometheus; where tokens are asked for, for a token for all batches."""

from __future__ import annotations

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from headway_gateway.keys import HUB, METRICS


async def metrics(request: web.Request) -> web.Response:
    """The counts of this process."""
    counts = request.app[METRICS]
    counts.cached_bytes.set(request.app[HUB].cached_bytes)
    return web.Response(body=counts.text(), headers={"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"})
