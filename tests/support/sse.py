"""A strict reader of Server-Sent Events for tests: the WHATWG standard's parsing, nothing forgiven."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

import aiohttp
import msgspec


class Message(NamedTuple):
    """One dispatched message."""

    id: str
    event: str
    data: str

    def json(self) -> Any:
        """The data, decoded."""
        return msgspec.json.decode(self.data)


async def messages(response: aiohttp.ClientResponse) -> AsyncIterator[Message]:
    """The messages of a response, until it ends; comments and `retry` are passed over."""
    assert response.headers["Content-Type"].startswith("text/event-stream"), response.headers
    parser = _Parser()
    async for chunk in response.content.iter_any():
        for message in parser.feed(chunk):
            yield message


def whole(body: bytes) -> list[Message]:
    """The messages of a body, as far as it goes."""
    return list(_Parser().feed(body))


class _Parser:
    """Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation"""

    def __init__(self) -> None:
        self._last_id, self._event = "", ""
        self._data: list[str] = []
        self._rest = b""

    def feed(self, chunk: bytes) -> Iterator[Message]:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            assert not line.endswith(b"\r"), "Headway ends lines with LF alone"
            text = line.decode()
            if text:
                self._take(text)
                continue
            if self._data:
                yield Message(self._last_id, self._event or "message", "\n".join(self._data))
            self._event, self._data = "", []

    def _take(self, text: str) -> None:
        field, _, value = text.partition(":")
        value = value.removeprefix(" ")
        if field == "id":
            self._last_id = value
        elif field == "event":
            self._event = value
        elif field == "data":
            self._data.append(value)
        elif field == "retry":
            assert value.isdecimal(), f"retry is not a number of milliseconds in {text!r}"
        else:
            assert field == "", f"unknown field in {text!r}"
