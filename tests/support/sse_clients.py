"""Readers of Server-Sent Events that others have written: each reads a stream until the server says that it is over."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import httpx
import httpx_sse
from headway_events import EVENT_TYPES
from playwright.async_api import Page

from support.counts import NODE
from support.sse import Message, whole

NAMES = [*EVENT_TYPES, "snapshot", "reset", "message"]
READ_MJS = Path(__file__).parents[1] / "node" / "read.mjs"
PAGE = "/static/favicon.svg"  # of the same origin, which may read streams, and asks for nothing by itself
RETRY_S = 0.1  # of the clients that do not connect again by themselves

SseClient: TypeAlias = Callable[[str], Awaitable[list[Message]]]

IN_THE_PAGE = """([address, names]) => new Promise((resolve) => {
  const found = [];
  const source = new EventSource(address);
  for (const name of names) {
    source.addEventListener(name, ({ lastEventId, type, data }) => found.push([lastEventId, type, data]));
  }
  source.addEventListener("error", () => { if (source.readyState === EventSource.CLOSED) resolve(found); });
})"""


def chromium(page: Page) -> SseClient:
    """The EventSource of a browser."""

    async def read(address: str) -> list[Message]:
        await page.goto(address.partition("/api/")[0] + PAGE)
        return [Message(*found) for found in await page.evaluate(IN_THE_PAGE, [address, NAMES])]

    return read


async def npm_eventsource(address: str) -> list[Message]:
    """The npm package `eventsource` under Node.js."""
    process = await asyncio.create_subprocess_exec(
        NODE, READ_MJS, address, ",".join(NAMES), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    answer = json.loads(output)
    assert answer["code"] == 204
    return [Message(*found) for found in answer["messages"]]


async def python_httpx_sse(address: str) -> list[Message]:
    """httpx-sse, which leaves connecting again to its caller, and hands out what has no data too."""
    found: list[Message] = []
    async with httpx.AsyncClient(timeout=60) as client:
        while True:
            headers = {"Last-Event-ID": found[-1].id} if found else {}
            try:
                async with httpx_sse.aconnect_sse(client, "GET", address, headers=headers) as source:
                    if source.response.status_code == 204:
                        return found
                    async for event in source.aiter_sse():
                        if event.data:
                            message = Message(event.id, event.event or "message", event.data)
                            found.append(message)
            except httpx.TransportError:
                await asyncio.sleep(RETRY_S)


async def curl(address: str) -> list[Message]:
    """curl, whose output is the bytes of the body."""
    found: list[Message] = []
    while True:
        process = await asyncio.create_subprocess_exec(
            "curl", "--silent", "--no-buffer", "--write-out", "%{stderr}%{http_code}", address,
            *(["--header", f"Last-Event-ID: {found[-1].id}"] if found else []),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        body, status = await process.communicate()
        if status == b"204":
            return found
        assert status in {b"200", b"000"}, status  # cut off before its first line
        found += whole(body)
        await asyncio.sleep(RETRY_S)
