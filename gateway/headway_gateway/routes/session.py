"""`/api/session`, the login of a person, and `/api/access-tokens`, query tokens for those who cannot send headers.

A login keeps the token that was shown in a cookie that no script can read and that is sent for no other site. Nothing
is kept here: a logout makes the browser forget, and the token ends when it says.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Final, TypeVar

import msgspec
from aiohttp import web

from headway_gateway import auth, gate, position, tokens
from headway_gateway.errors import InvalidParameter, NoQueryTokens, NotJson, OutOfScope
from headway_gateway.keys import AUTHENTICATOR, CLIENT, PRINCIPAL, SETTINGS

BODY_TIMEOUT_S: Final = 10.0
MOST_BODY_BYTES: Final = 16 * 1024
MOST_COOKIE_BYTES: Final = 4096  # browsers drop longer ones without a word; source: RFC 6265, section 6.1

Body = TypeVar("Body")


class _Login(msgspec.Struct):
    token: str


class _Wanted(msgspec.Struct, rename="camel"):
    batch_id: int | str


async def show(request: web.Request) -> web.Response:
    """Who is logged in, until when, and for which batches."""
    principal = await gate.principal_of(request, request[CLIENT])
    batches = "*" if principal.batches is None else sorted(str(batch_id) for batch_id in principal.batches)
    in_cookie = _cookie(request) in request.cookies and "Authorization" not in request.headers
    return _json({"batches": batches, "expiresAt": _moment(principal.expires_at), "loggedIn": in_cookie})


async def log_in(request: web.Request) -> web.Response:
    """Keep a valid token in the browser."""
    token = (await _body(request, _Login)).token.strip()
    principal = await request.app[AUTHENTICATOR].verify(token)
    if len(token) + len(_cookie(request)) > MOST_COOKIE_BYTES:
        raise InvalidParameter("token", "(not shown)", f"a token that fits into a cookie of {MOST_COOKIE_BYTES} bytes")
    response = web.Response(status=204, headers={"Cache-Control": "no-store"})
    assert principal.expires_at is not None  # tokens must have it
    response.set_cookie(
        _cookie(request), token, max_age=max(0, int(principal.expires_at - time.time())), path="/", httponly=True,
        samesite="Strict", secure=gate.is_secure(request, request[CLIENT]),
    )  # fmt: skip
    return response


async def log_out(request: web.Request) -> web.Response:
    """Have the browser forget the token."""
    response = web.Response(status=204, headers={"Cache-Control": "no-store"})
    secure = gate.is_secure(request, request[CLIENT])
    response.del_cookie(_cookie(request), path="/", httponly=True, samesite="Strict", secure=secure)
    return response


async def access_token(request: web.Request) -> web.Response:
    """A query token for one batch."""
    wanted = await _body(request, _Wanted)
    batch_id = position.batch_id(str(wanted.batch_id))
    principal = request[PRINCIPAL]
    if not principal.may_read(batch_id):
        raise OutOfScope(f"The token is not for batch {batch_id}")
    secret = request.app[SETTINGS].token_secret
    if secret is None:
        raise NoQueryTokens
    token, expires_at = tokens.sign_for_query(secret, batch_id, principal)
    return _json({"accessToken": token, "expiresAt": _moment(expires_at)}, status=201)


async def _body(request: web.Request, kind: type[Body]) -> Body:
    """What a request brings.

    Raises:
        NotJson: it says that it is something else, as a form of another site would.
        InvalidParameter: it is not what is expected.
    """
    if request.content_type != "application/json":
        raise NotJson
    if (request.content_length or 0) > MOST_BODY_BYTES:
        raise web.HTTPRequestEntityTooLarge(MOST_BODY_BYTES, request.content_length or 0)
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            content = await request.content.read(MOST_BODY_BYTES)
            while more := await request.content.read(MOST_BODY_BYTES):
                content += more
                if len(content) > MOST_BODY_BYTES:
                    raise web.HTTPRequestEntityTooLarge(MOST_BODY_BYTES, len(content))
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidParameter("body", "(not shown)", f"JSON as documented ({error})") from None


def _cookie(request: web.Request) -> str:
    return auth.cookie_name(secure=gate.is_secure(request, request[CLIENT]))


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _json(document: dict[str, object], status: int = 200) -> web.Response:
    return web.Response(
        status=status, body=msgspec.json.encode(document), content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )  # fmt: skip
