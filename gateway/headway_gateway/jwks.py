"""The public keys of those who sign tokens: a JWK Set from a file or an address, read again when it is old.

Keys that are known go on working while their source is away. A key that is not known has the source asked, at most once
in `ASK_EVERY_S`: names of keys come from anybody.

Source: RFC 7517 (JSON Web Key); RFC 7518, section 3 (which algorithm goes with which key).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import aiohttp
import jwt
import msgspec

from headway_gateway.errors import KeysAway, NotAuthenticated
from headway_gateway.tokens import Key

logger = logging.getLogger(__name__)

ASK_EVERY_S: Final = 10.0
OLD_AFTER_S: Final = 300.0  # a key that its owner has taken back is believed for so long, while the source answers
ANSWER_WITHIN_S: Final = 5.0
MOST_BYTES: Final = 1 << 20  # a set of a hundred keys has 50 kB

_RSA: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_CURVES: Final = {"P-256": ("ES256",), "P-384": ("ES384",), "P-521": ("ES512",), "Ed25519": ("EdDSA",)}

Read = Callable[[], Awaitable[bytes]]


class _KeySetDocument(msgspec.Struct):
    keys: list[dict[str, Any]]


class KeySet:
    """The keys of one source."""

    def __init__(self, read: Read, *, ask_every_s: float = ASK_EVERY_S, old_after_s: float = OLD_AFTER_S) -> None:
        self._read = read
        self._ask_every_s = ask_every_s
        self._old_after_s = old_after_s
        self._keys: dict[str | None, Key] = {}
        self._asked_at = self._read_at = float("-inf")
        self._asking = asyncio.Lock()
        self._renewal: asyncio.Task[None] | None = None

    @classmethod
    def of(cls, source: str) -> KeySet:
        """The keys in a file or at an address."""
        return cls(_from_address(source) if source.startswith(("https://", "http://")) else _from_file(Path(source)))

    async def find(self, kid: str | None) -> Key:
        """The key of this name, or the only one where a token names none.

        Raises:
            NotAuthenticated: there is no such key.
            KeysAway: there may be, but the source does not answer.
        """
        key = self._known(kid)
        if key is None:
            await self._ask()
            key = self._known(kid)
        elif time.monotonic() - self._read_at > self._old_after_s and (self._renewal is None or self._renewal.done()):
            self._renewal = asyncio.create_task(self._ask())  # nobody waits for it: the source may hang
        if key is not None:
            return key
        if self._read_at < self._asked_at:
            raise KeysAway
        raise NotAuthenticated("The token is signed with a key that is not in the key set")

    def _known(self, kid: str | None) -> Key | None:
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(kid)

    async def _ask(self) -> None:
        """Read the source, unless that was done a moment ago; who comes meanwhile waits for the same answer."""
        async with self._asking:
            if time.monotonic() - self._asked_at < self._ask_every_s:
                return
            self._asked_at = time.monotonic()
            try:
                self._keys = read_keys(await self._read())
            except (OSError, TimeoutError, aiohttp.ClientError, ValueError) as error:
                reason = f"{type(error).__name__}: {error}"
                logger.warning("The key set cannot be read", extra={"action": "keys_away", "reason": reason})
            else:
                self._read_at = time.monotonic()


def read_keys(document: bytes) -> dict[str | None, Key]:
    """The keys of a JWK Set that tokens can be checked with, by name; those for anything else are passed over.

    Raises:
        ValueError: it is no JWK Set, or has no such key.
    """
    keys = {}
    for entry in msgspec.json.decode(document, type=_KeySetDocument).keys:
        if algorithms := _algorithms(entry):
            try:
                keys[entry.get("kid")] = Key(jwt.PyJWK(entry, algorithms[0]).key, algorithms)
            except (jwt.PyJWTError, ValueError) as error:
                logger.warning("A key is passed over", extra={"action": "bad_key", "reason": str(error)})
    if not keys:
        raise ValueError("The key set has no public key for RS, PS, ES or EdDSA signatures")
    return keys


def _algorithms(entry: dict[str, Any]) -> tuple[str, ...]:
    """What a key is for; nothing if it is secret (`oct`), for encryption, or of a kind that is not known."""
    if entry.get("use", "sig") != "sig" or "verify" not in entry.get("key_ops", ["verify"]):
        return ()
    if not isinstance(entry.get("kid"), str | None):
        return ()
    fitting = _RSA if entry.get("kty") == "RSA" else _CURVES.get(str(entry.get("crv")), ())
    named = entry.get("alg")
    return fitting if named is None else tuple(one for one in fitting if one == named)


def _from_file(path: Path) -> Read:
    async def read() -> bytes:
        return await asyncio.to_thread(path.read_bytes)

    return read


def _from_address(address: str) -> Read:
    async def read() -> bytes:
        timeout = aiohttp.ClientTimeout(total=ANSWER_WITHIN_S)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(address, allow_redirects=False) as response,
        ):
            if response.status != 200:
                raise ValueError(f"{address} answers {response.status}")
            content = await response.content.read(MOST_BYTES + 1)
            while len(content) <= MOST_BYTES and (more := await response.content.read(MOST_BYTES + 1)):
                content += more
        if len(content) > MOST_BYTES:
            raise ValueError(f"{address} gives more than {MOST_BYTES} bytes")
        return content

    return read
