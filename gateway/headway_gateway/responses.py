"""Answers that are problems, and the headers that every answer has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from aiohttp import web

from headway_gateway import problems

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",  # the page has one of its own
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "headway",  # and no versions
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def of_problem(document: dict[str, Any], headers: Mapping[str, str] | None = None) -> web.Response:
    """The answer that a problem is."""
    return web.Response(
        status=document["status"],
        body=msgspec.json.encode(document),
        content_type=problems.CONTENT_TYPE,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


async def add_security_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Say what a browser may do with an answer, where its route has not."""
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = SECURITY_HEADERS["Server"]  # aiohttp has set its own
    if response.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="headway"'
