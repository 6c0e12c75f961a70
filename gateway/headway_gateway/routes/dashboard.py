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
LOGIN_PAGE: Final = (FOLDER / "login.html").read_bytes()
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
        "trusted-types 'none'"
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


def add_static(app: web.Application) -> None:
    """Serve the page's files below /static/."""
    app.router.add_static("/static/", FOLDER)
    app.on_response_prepare.append(_add_headers)


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    if request.path.startswith("/static/"):
        response.headers.update(HEADERS)
