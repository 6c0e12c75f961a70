"""Who sends a request: the token that it shows, in one of three ways, and what that says.

By the header `Authorization: Bearer`, by the cookie of a login, or by the parameter `access_token`, which must be a
query token (see `tokens`). Whoever shows a bad token is refused, and never taken for the bearer of a cookie that came
along.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from aiohttp import web

from headway_gateway import tokens
from headway_gateway.errors import NotAuthenticated
from headway_gateway.jwks import KeySet
from headway_gateway.principal import Principal
from headway_gateway.settings import Settings

QUERY_PARAMETER: Final = "access_token"


class Credential(NamedTuple):
    """A token as it was shown."""

    token: str
    way: Literal["header", "cookie", "query"]


class Authenticator:
    """Checks tokens with the secret and the keys of one gateway."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._keys = None if settings.jwks is None else KeySet.of(settings.jwks)

    async def principal(self, credential: Credential | None) -> Principal:
        """Who has shown this.

        Raises:
            NotAuthenticated: it is missing or not valid.
            KeysAway: the keys to check it with cannot be had.
        """
        if credential is None:
            raise NotAuthenticated
        if credential.way == "query":
            return self._of_query_token(credential.token)
        return await self.verify(credential.token)

    async def verify(self, token: str) -> Principal:
        """Whose token this is.

        Raises:
            NotAuthenticated, KeysAway: see `principal`.
        """
        header = tokens.unverified_header(token)
        secret = self._settings.token_secret
        if secret is not None and header.get("alg") == "HS256":
            key = tokens.secret_key(secret)
        elif self._keys is not None:
            key = await self._keys.find(header.get("kid"))
        else:
            raise NotAuthenticated("The token is not signed with HS256, the only algorithm of this gateway")
        settings = self._settings
        return tokens.verify(token, key, audience=settings.token_audience, issuer=settings.token_issuer)

    def _of_query_token(self, token: str) -> Principal:
        if self._settings.token_secret is None:
            raise NotAuthenticated("This gateway knows no query tokens: HEADWAY_GATEWAY_TOKEN_SECRET is not set")
        return tokens.verify_for_query(token, self._settings.token_secret)


def credential(request: web.Request, cookie: str) -> Credential | None:
    """The token that a request shows.

    Args:
        request: as the client sent it.
        cookie: the name of a login's cookie.

    Raises:
        NotAuthenticated: it shows several, or none where it says it does.
    """
    authorizations = request.headers.getall("Authorization", [])
    in_query = request.query.getall(QUERY_PARAMETER, [])
    if len(authorizations) + len(in_query) > 1:
        raise NotAuthenticated("The request shows more than one token")
    if authorizations:
        scheme, _, token = authorizations[0].partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise NotAuthenticated("The Authorization header is not of the form `Bearer <token>`")
        return Credential(token.strip(), "header")
    if in_query:
        return Credential(in_query[0], "query")
    in_cookie = request.cookies.get(cookie)
    return None if in_cookie is None else Credential(in_cookie, "cookie")


def cookie_name(*, secure: bool) -> str:
    """The name of a login's cookie. Browsers let no other host, path or scheme set one with the prefix `__Host-`."""
    return "__Host-headway" if secure else "headway"
