"""What must hold before a handler is called, for every route, in one place.

A route needs a token unless it is in `PUBLIC`. Where the token is for some batches only, the batch in the path
(`{batch_id}`) or those of a stream (`batchId=`) must be among them, and an address that names none is refused unless
its handler is known to look at the principal itself (`SCOPED`). Handlers never see a query token.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from headway_gateway import auth, cross_site, position
from headway_gateway.errors import InvalidParameter, OutOfScope, UnknownHost
from headway_gateway.forwarded import Client, client_of
from headway_gateway.keys import AUTHENTICATOR, CLIENT, LIMITS, METRICS, PRINCIPAL, SETTINGS
from headway_gateway.principal import EVERYBODY, Principal

PUBLIC: Final = frozenset(
    {"/", "/static/{name}", "/healthz", "/readyz", "/api/session", "/api/docs", "/api/openapi.json"}
)
SCOPED: Final = frozenset({"/api/batches", "/api/access-tokens"})
STREAM: Final = "/api/stream"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Call the handler of a request that may be answered."""
    _check_text(request)
    client = _client(request)
    preflight = cross_site.answer_preflight(request)
    if preflight is not None:
        return preflight
    _check_host(request)
    cross_site.check_change(request)
    path = _route(request)
    principal = None
    if path not in PUBLIC:
        principal = await principal_of(request, client)
        _check_scope(request, path, principal)
    request = _without_secrets(request, client)
    request[CLIENT] = client
    if principal is not None:
        request[PRINCIPAL] = principal
    if path != STREAM:
        return await handler(request)
    return await _admit_stream(request, handler)


async def principal_of(request: web.Request, client: Client) -> Principal:
    """Who sends a request.

    Raises:
        NotAuthenticated: it shows no valid token.
        KeysAway: the keys to check it with cannot be had.
    """
    if not request.app[SETTINGS].authenticated:
        return EVERYBODY
    shown = auth.credential(request, auth.cookie_name(secure=is_secure(request, client)))
    return await request.app[AUTHENTICATOR].principal(shown)


def is_secure(request: web.Request, client: Client) -> bool:
    """Whether a login's cookie is one for https alone."""
    return request.app[SETTINGS].cookie_secure or client.https


async def _admit_stream(request: web.Request, handler: Handler) -> web.StreamResponse:
    address, limits, traffic = request[CLIENT].address, request.app[LIMITS], request.app[METRICS].traffic
    limits.enter(address)
    traffic.begin(request.writer, request.query.get("mode"))
    try:
        return await handler(request)
    finally:
        traffic.end(request.writer)
        limits.leave(address)


def _check_text(request: web.Request) -> None:
    """Refuse what is no text: PostgreSQL knows no NUL, and nothing can encode half a character."""
    for name, value in (*request.match_info.items(), *request.query.items()):
        if "\0" in value or not _is_whole(name + value):
            raise InvalidParameter(name.encode("ascii", "replace").decode(), "(not shown)", "UTF-8 without NUL")


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _client(request: web.Request) -> Client:
    settings = request.app[SETTINGS]
    peer = request.remote or ""
    if not settings.trusted_proxies:
        return Client(peer, https=False)
    names = ("X-Forwarded-For", "X-Forwarded-Proto", "Forwarded")
    headers = {name: ",".join(request.headers.getall(name, [])) for name in names}
    return client_of(peer, headers, settings.trusted_proxies, settings.proxy_header)


def _check_host(request: web.Request) -> None:
    """A gateway that anyone on this machine may read must not be read by pages of other hosts (DNS rebinding)."""
    settings = request.app[SETTINGS]
    name = request.host.rpartition(":")[0] if request.host.rpartition(":")[2].isdecimal() else request.host
    if not settings.open and not settings.authenticated and name not in settings.hosts:
        raise UnknownHost


def _without_secrets(request: web.Request, client: Client) -> web.Request:
    """The request without its query token, which would get into logs and `next` addresses, and from its real client."""
    if auth.QUERY_PARAMETER in request.query:
        address = request.rel_url.without_query_params(auth.QUERY_PARAMETER)
        return request.clone(rel_url=address, remote=client.address)
    if client.address != request.remote:
        return request.clone(remote=client.address)
    return request


def _route(request: web.Request) -> str | None:
    """The address of the route as it was declared; None where there is no route."""
    resource = request.match_info.route.resource
    return None if resource is None else resource.canonical


def _check_scope(request: web.Request, path: str | None, principal: Principal) -> None:
    if principal.read_only and request.method not in cross_site.SAFE_METHODS:
        raise OutOfScope("A query token is for reading alone")
    if principal.batches is None:
        return
    if "batch_id" in request.match_info:
        named = [request.match_info["batch_id"]]
    elif path == STREAM:
        named = request.query.getall("batchId", [])
    else:
        named = []
    for text in named:
        if not principal.may_read(position.batch_id(text)):
            raise OutOfScope(f"The token is not for batch {text}")  # whether or not there is such a batch
    if not named and path is not None and path not in SCOPED:
        raise OutOfScope("The token is for some batches only, and the address names none")
