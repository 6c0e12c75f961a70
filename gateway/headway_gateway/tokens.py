"""Tokens: what they say, how they are signed and how they are checked. Pure but for the clock.

Two kinds. A *token* is a JWT that says in its claim `headway` which batches its bearer may read. A *query token* is
part of an address, which others see too (in a history, in a proxy's log): it is for one batch and can be used for some
minutes. Its key is derived from the secret, so that neither kind passes for the other.

Source: RFC 7519 (JSON Web Token); RFC 8725 (its best current practices).
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import jwt
import msgspec

from headway_gateway import position
from headway_gateway.errors import NotAuthenticated
from headway_gateway.principal import Principal

if TYPE_CHECKING:
    from headway_gateway.settings import Secret

LEEWAY_S: Final = (
    30.0  # by which the clock of whoever signs may be ahead of ours; none for `exp`, which ends streams too
)
LATEST_EXPIRY: Final = 253_402_300_799  # the end of the year 9999: what is later has been given in milliseconds
QUERY_TOKEN_S: Final = 300  # in which an address must be opened
CLAIM: Final = "headway"

_MALFORMED: Final = (jwt.PyJWTError, msgspec.ValidationError, ValueError, TypeError, OverflowError, RecursionError)


class Key(NamedTuple):
    """A key, and the algorithms that it is for: the token does not choose."""

    key: Any
    algorithms: Sequence[str]


class Scope(msgspec.Struct, forbid_unknown_fields=True):
    """The claim `headway`. A member that is not known could be a restriction: it is refused."""

    batches: list[int | str] | Literal["*"]
    """All, or their ids, as numbers or, where JSON would round them (above 2**53), as text."""


class _Claims(msgspec.Struct):
    exp: int | float
    headway: Scope


class _QueryClaims(msgspec.Struct):
    batch: str
    until: int | float | None


def secret_key(secret: Secret) -> Key:
    """The key of tokens."""
    return Key(bytes(secret), ("HS256",))


def unverified_header(token: str) -> dict[str, Any]:
    """The header, of which nothing is to be believed.

    Raises:
        NotAuthenticated: it is none.
    """
    try:
        return jwt.get_unverified_header(token)
    except _MALFORMED:
        raise NotAuthenticated("The token is not a JSON Web Token") from None


def verify(token: str, key: Key, *, audience: str | None, issuer: str | None) -> Principal:
    """Who has shown a token.

    Raises:
        NotAuthenticated: it is not a valid one; the message says why.
    """
    claims = _decode(token, key, audience=audience, issuer=issuer)
    if CLAIM not in claims:
        raise NotAuthenticated(f"The token has no claim {CLAIM!r}, which says what it is for")
    try:
        found = msgspec.convert(claims, _Claims)
        batches = None if found.headway.batches == "*" else frozenset(map(_batch_id, found.headway.batches))
    except _MALFORMED as error:
        raise NotAuthenticated(f"The token's claims are malformed: {error}") from None
    if found.exp > LATEST_EXPIRY:
        raise NotAuthenticated("The token's claim 'exp' is not in seconds since 1970")
    return Principal(batches=batches, expires_at=float(found.exp))


def sign(
    secret: Secret, batches: Sequence[int] | Literal["*"], *, expires_at: float, audience: str | None = None,
    issuer: str | None = None, subject: str | None = None,
) -> str:  # fmt: skip
    """A token for some batches, or all."""
    named = batches if batches == "*" else [str(batch_id) for batch_id in batches]
    claims = {"iss": issuer, "aud": audience, "sub": subject}
    return _encode(
        {
            **{name: value for name, value in claims.items() if value is not None},
            "iat": int(time.time()),
            "exp": int(expires_at),
            CLAIM: {"batches": named},
        },
        secret_key(secret),
    )


def sign_for_query(secret: Secret, batch_id: int, principal: Principal) -> tuple[str, float]:
    """A query token for a batch that a principal may read, and when it ends.

    What is opened with it may go on for as long as the principal's own token is valid.
    """
    expires_at = time.time() + QUERY_TOKEN_S
    if principal.expires_at is not None:
        expires_at = min(expires_at, principal.expires_at)
    claims = {"exp": expires_at, "batch": str(batch_id), "until": principal.expires_at}
    return _encode(claims, _query_key(secret)), expires_at


def verify_for_query(token: str, secret: Secret) -> Principal:
    """Who has shown a query token.

    Raises:
        NotAuthenticated: it is not a valid one.
    """
    claims = _decode(token, _query_key(secret), audience=None, issuer=None)
    found = msgspec.convert(claims, _QueryClaims)  # signed by a gateway: nothing else has the key
    return Principal(batches=frozenset({int(found.batch)}), expires_at=found.until, read_only=True)


def _query_key(secret: Secret) -> Key:
    return Key(hmac.digest(secret, b"headway query token", "sha256"), ("HS256",))


def _encode(claims: dict[str, Any], key: Key) -> str:
    return jwt.encode(claims, key.key, algorithm=key.algorithms[0])


def _decode(token: str, key: Key, *, audience: str | None, issuer: str | None) -> dict[str, Any]:
    try:
        claims: dict[str, Any] = jwt.decode(
            token, key.key, algorithms=list(key.algorithms), audience=audience, issuer=issuer, leeway=LEEWAY_S,
            options={"require": ["exp"], "enforce_minimum_key_length": True},
        )  # fmt: skip
        expired = float(claims["exp"]) <= time.time()
    except jwt.ExpiredSignatureError:
        expired = True
    except _MALFORMED as error:
        raise NotAuthenticated(f"The token is not valid: {error}") from None
    if expired:
        raise NotAuthenticated("The token has expired")
    return claims


def _batch_id(named: int | str) -> int:
    return position.batch_id(str(named))
