"""`GET /` and `/static/...`: the dashboard's files, as they lie in the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Final

from aiohttp import web

FOLDER: Final = Path(str(files("headway_gateway") / "dashboard"))
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-cache",  # asked for again each time, and answered with 304: an upgrade is seen at once
}


async def index(_: web.Request) -> web.FileResponse:
    """The page."""
    return web.FileResponse(FOLDER / "index.html", headers=HEADERS)


def add_static(app: web.Application) -> None:
    """Serve the page's files below /static/."""
    app.router.add_static("/static/", FOLDER)
    app.on_response_prepare.append(_add_headers)


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    if request.path.startswith("/static/"):
        response.headers.update(HEADERS)
