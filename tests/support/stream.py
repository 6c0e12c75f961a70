"""Reads the stream of a batch in tests, as any client would."""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp

from support.sse import Message, messages


async def read(
    client: aiohttp.ClientSession,
    batch_id: int,
    query: Mapping[str, str] | None = None,
    *,
    most: int | None = None,
    headers: dict[str, str] | None = None,
) -> list[Message]:
    """The messages of one connection: all until it ends, or the first `most`."""
    found: list[Message] = []
    async with client.get(
        "/api/stream", params={"batchId": str(batch_id), **(query or {})}, headers=headers
    ) as response:
        assert response.status == 200, await response.text()
        async for message in messages(response):
            found.append(message)
            if len(found) == most:
                break
    return found


def ids(found: list[Message]) -> list[int]:
    return [int(message.id) for message in found]
