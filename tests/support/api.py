"""Asks the JSON API in tests, as any client would."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
from yarl import URL


async def get(client: aiohttp.ClientSession, path: str | URL, status: int = 200) -> dict[str, Any]:
    """The document at a path; fails when it is answered with another status."""
    async with client.get(path) as response:
        text = await response.text()
        assert response.status == status, text
        document: dict[str, Any] = json.loads(text)
        return document


async def every(client: aiohttp.ClientSession, path: str | URL, member: str) -> list[dict[str, Any]]:
    """What the pages of a listing hold, from the first to the last."""
    found: list[dict[str, Any]] = []
    following: str | URL | None = path
    while following is not None:
        page = await get(client, following)
        found += page[member]
        following = None if page["next"] is None else URL(page["next"], encoded=True)
    return found
