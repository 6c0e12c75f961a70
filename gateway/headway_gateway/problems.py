"""Errors as problem details: `application/problem+json`.

Source: RFC 9457, Problem Details for HTTP APIs.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from aiohttp import web

from headway_gateway.errors import RequestError

CONTENT_TYPE: Final = "application/problem+json"


def problem(status: int, detail: str, *, kind: str = "about:blank", **members: Any) -> dict[str, Any]:
    """A problem of a kind (the error's class name, or `about:blank` for plain HTTP errors)."""
    return {"type": kind, "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **members}


def of_error(error: RequestError) -> dict[str, Any]:
    """The problem that an error is: its class is the kind, its attributes (parameter, batch) are members."""
    members = {_camel(name): _whole(value) for name, value in vars(error).items() if isinstance(value, str | int)}
    return problem(error.status, str(_whole(str(error))), kind=f"/problems/{type(error).__name__}", **members)


def response(document: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> web.Response:
    """The answer that a problem is."""
    return web.Response(
        status=document["status"],
        body=msgspec.json.encode(document),
        content_type=CONTENT_TYPE,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def _whole(value: str | int) -> str | int:
    """What a client has sent may be no text in Unicode; what is answered is."""
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)
