"""`GET /` and `/static/...`: the dashboard's files, as they lie in the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Final

from aiohttp import web

FOLDER: Final = Path(str(files("headway_gateway") / "dashboard"))
FILES: Final = {str(path.relative_to(FOLDER)): path for path in FOLDER.rglob("*") if path.is_file()}
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


async def static(request: web.Request) -> web.FileResponse:
    """One of the page's files."""
    path = FILES.get(request.match_info["path"])
    if path is None:
        raise web.HTTPNotFound
    return web.FileResponse(path, headers=HEADERS)
