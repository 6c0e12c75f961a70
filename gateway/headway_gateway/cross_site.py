"""What pages of other sites may do with a gateway: nothing, unless their origin is configured (CORS).

A login's cookie is never sent for another site (SameSite=Strict) nor asked for here (no Allow-Credentials): pages of a
configured origin show tokens of their own.

Source: https://fetch.spec.whatwg.org/#http-cors-protocol; https://www.w3.org/TR/fetch-metadata/
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from headway_gateway.errors import CrossSite
from headway_gateway.keys import SETTINGS

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
PREFLIGHT_KEPT_S: Final = 600
_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-None-Match, Last-Event-ID",
    "Access-Control-Max-Age": str(PREFLIGHT_KEPT_S),
}
_READABLE: Final = "Content-Disposition, ETag, Retry-After, WWW-Authenticate"  # beside those that always are


def answer_preflight(request: web.Request) -> web.Response | None:
    """The answer to a browser that asks before it sends another site's request; None if the request is none such.

    Raises:
        CrossSite: the origin is not configured.
    """
    if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
        return None
    if not _is_configured(request):
        raise CrossSite
    return web.Response(status=204, headers=_PREFLIGHT)


def check_change(request: web.Request) -> None:
    """Refuse what would change something and was not sent by a page of this gateway, a configured one, or a program.

    Raises:
        CrossSite: see above.
    """
    if request.method in SAFE_METHODS or _is_configured(request):
        return
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc.lower() != request.host.lower():
        raise CrossSite
    if request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}:
        raise CrossSite


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Let pages of configured origins read the answer."""
    if not request.app[SETTINGS].origins:
        return
    response.headers.add("Vary", "Origin")
    if _is_configured(request):
        response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
        response.headers["Access-Control-Expose-Headers"] = _READABLE


def _is_configured(request: web.Request) -> bool:
    return request.headers.get("Origin", "").lower() in request.app[SETTINGS].origins
