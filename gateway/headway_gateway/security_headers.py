"""The headers that every answer has: what a browser may do with it."""

from __future__ import annotations

from typing import Final

from aiohttp import web

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",  # the page has one of its own
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "headway",  # and no versions
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


async def add(_: web.Request, response: web.StreamResponse) -> None:
    """Say what a browser may do with an answer, where its route has not."""
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = SECURITY_HEADERS["Server"]  # aiohttp has set its own
    if response.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="headway"'
