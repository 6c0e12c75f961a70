"""A strict reader of Server-Sent Events for tests: the WHATWG standard's parsing, nothing forgiven."""

from __future__ import annotations

from collections.abc import AsyncIterator
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
    """The messages of a response, until it ends; comments and `retry` are passed over.

    Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
    """
    assert response.headers["Content-Type"].startswith("text/event-stream"), response.headers
    last_id, event = "", ""
    data: list[str] = []
    rest = b""
    async for chunk in response.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            assert not line.endswith(b"\r"), "Headway ends lines with LF alone"
            text = line.decode()
            if not text:
                if data:
                    yield Message(last_id, event or "message", "\n".join(data))
                event, data = "", []
                continue
            field, _, value = text.partition(":")
            value = value.removeprefix(" ")
            if field == "id":
                last_id = value
            elif field == "event":
                event = value
            elif field == "data":
                data.append(value)
            elif field == "retry":
                assert value.isdecimal(), f"retry is not a number of milliseconds in {text!r}"
            else:
                assert field == "", f"unknown field in {text!r}"
