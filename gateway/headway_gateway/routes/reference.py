"""`GET /api/openapi.json` and `/api/docs`: what this API is, for programs and for people."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from aiohttp import web

from headway_gateway.routes import dashboard
from headway_gateway.routes.answers import digest, has_it, tag_headers

DOCUMENT: Final = (files("headway_gateway") / "openapi.json").read_bytes()
TAG: Final = tag_headers(digest(DOCUMENT))


async def document(request: web.Request) -> web.Response:
    """The OpenAPI document."""
    if has_it(request, TAG):
        return web.Response(status=304, headers=TAG)
    return web.Response(body=DOCUMENT, content_type="application/json", headers=TAG)


async def page(_: web.Request) -> web.FileResponse:
    """The document as a page, made in the browser."""
    return web.FileResponse(dashboard.FOLDER / "reference.html", headers=dashboard.HEADERS)
