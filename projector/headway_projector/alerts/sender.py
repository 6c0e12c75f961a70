"""One attempt: a request to a receiver, and its answer. Whatever the receiver does, it costs seconds and kilobytes.

What is said of an attempt is shown to people and kept in a table, so that nothing of a hook's address but its host, and
nothing of its secrets, is ever in it; aiohttp's own messages have the address.
"""

from __future__ import annotations

import base64
import os
import time
from datetime import UTC, datetime
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import aiohttp

from headway_projector.alerts import messages
from headway_projector.alerts.hooks import Hook
from headway_projector.alerts.schedule import retry_after_s

TIMEOUT_S: Final = 10.0  # for all of it: receivers should note and answer; Standard Webhooks asks for 15 to 30 at most
MOST_BYTES: Final = 1024  # of an answer that are read
MOST_SHOWN: Final = 200  # characters of an answer
LEAST_SECRET: Final = 8  # characters of a part of a path that may be one
GONE: Final = 410


class Answer(NamedTuple):
    """What became of an attempt."""

    accepted: bool
    gone: bool  # the receiver wants no more of this
    said: str  # for people
    retry_after_s: float  # for which it asks not to be called; 0 if it does not


class Sender:
    """Sends, without following redirects: a signed message goes where it was meant to go, or nowhere."""

    def __init__(self) -> None:
        """Connect to nothing yet; to be made while an event loop runs."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=True),  # alerts are rare: no connection is kept
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # a small answer may be a large one compressed
            headers={"User-Agent": "headway-projector", "Accept-Encoding": "identity"},
        )

    async def send(self, hook: Hook, message_id: str, content: bytes) -> Answer:
        """Try once; an answer in every case."""
        headers = messages.headers(hook, message_id, int(time.time()), content)
        try:
            async with self._session.post(hook.url, data=content, headers=headers, allow_redirects=False) as response:
                said = f"{response.status} {_shown(hook, await _beginning(response))}".strip()
                return Answer(
                    accepted=200 <= response.status < 300,
                    gone=response.status == GONE,
                    said=said,
                    retry_after_s=retry_after_s(response.headers.get("Retry-After"), datetime.now(UTC)),
                )
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            return Answer(accepted=False, gone=False, said=_failure(error), retry_after_s=0.0)

    async def close(self) -> None:
        """Close what is open."""
        await self._session.close()


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """The beginning of an answer; nothing where it does not come."""
    try:
        return await response.content.read(MOST_BYTES)
    except (aiohttp.ClientError, OSError):
        return b""


def _shown(hook: Hook, answer: bytes) -> str:
    """What may be shown of an answer, which may hold anything: also what was sent to it."""
    text = answer.decode("utf-8", "replace")
    parts = urlsplit(hook.url)
    hidden = {hook.url, parts.path, parts.query, parts.password or ""}
    hidden |= {part for part in parts.path.split("/") if len(part) >= LEAST_SECRET}
    hidden |= {base64.b64encode(secret).decode() for secret in hook.secrets}
    for part in sorted(filter(lambda part: len(part) > 1, hidden), key=len, reverse=True):
        text = text.replace(part, "***")
    return "".join(character if character.isprintable() else " " for character in text)[:MOST_SHOWN].strip()


def _failure(error: Exception) -> str:
    match error:
        case TimeoutError():
            return f"no answer within {TIMEOUT_S:g} s"
        case aiohttp.ClientConnectorDNSError():
            return "no such host is known"
        case aiohttp.ClientSSLError():
            return "no secure connection: its certificate, or its TLS, is refused"
        case aiohttp.ClientConnectorError(errno=int(number)):
            return f"no connection: {os.strerror(number)}"
        case _:
            return f"no answer: {type(error).__name__}"
