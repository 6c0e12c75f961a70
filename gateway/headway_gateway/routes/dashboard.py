"""`GET /` and `/static/...`: the dashboard's files, as they lie in the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Final

from aiohttp import web

from headway_gateway import gate
from headway_gateway.errors import NotAuthenticated
from headway_gateway.keys import CLIENT

FOLDER: Final = Path(str(files("headway_gateway") / "dashboard"))
FILES: Final = {path.relative_to(FOLDER).as_posix(): path for path in FOLDER.rglob("*.*")}
LOGIN_PAGE: Final = (FOLDER / "login.html").read_bytes()
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
        "trusted-types headway-worker"
    ),
    "Cache-Control": "no-cache",  # asked for again each time, and answered with 304: an upgrade is seen at once
}


async def index(request: web.Request) -> web.StreamResponse:
    """The page; to those who have not logged in, where they must, the page that asks for a token."""
    try:
        await gate.principal_of(request, request[CLIENT])
    except NotAuthenticated:
        headers = {**HEADERS, "Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store"}
        return web.Response(status=401, body=LOGIN_PAGE, headers=headers)
    return web.FileResponse(FOLDER / "index.html", headers=HEADERS)


async def file(request: web.Request) -> web.FileResponse:
    """One of the page's files: only those that are known by name can be asked for."""
    path = FILES.get(request.match_info["name"])
    if path is None:
        raise web.HTTPNotFound
    return web.FileResponse(path, headers=HEADERS)
