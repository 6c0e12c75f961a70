"""Streams as gzip: the same messages, each as soon as it is sent, only for those who ask and where it is allowed."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest

from support.batches import batch_events
from support.programs import Program
from support.stream import read
from support.topics import Topics

GZIP = {"Accept-Encoding": "gzip"}
PLAIN = {"Accept-Encoding": "identity"}


@pytest.fixture
def gateway(make_gateway: Callable[..., Program]) -> Program:
    """A running gateway that compresses."""
    running = make_gateway(HEADWAY_GATEWAY_COMPRESS="1")
    running.run()
    return running


def raw(gateway: Program) -> aiohttp.ClientSession:
    """A client that leaves bytes as they come."""
    return aiohttp.ClientSession(gateway.url, auto_decompress=False)


async def test_a_compressed_stream_has_the_same_messages_in_fewer_bytes(
    gateway: Program, client: aiohttp.ClientSession, topics: Topics, batch_id: int
) -> None:
    topics.create(batch_id)
    topics.write_events(batch_events(batch_id, 6000))
    plain = await read(client, batch_id, headers=PLAIN)
    assert await read(client, batch_id, headers=GZIP) == plain
    sizes = []
    async with raw(gateway) as session:
        for headers in (PLAIN, GZIP):
            async with session.get(f"/api/stream?batchId={batch_id}", headers=headers) as response:
                assert response.headers.get("Content-Encoding") == (None if headers is PLAIN else "gzip")
                assert response.headers["Vary"] == "Accept-Encoding"
                sizes.append(len(await response.read()))
    assert sizes[1] < sizes[0] / 5


async def test_a_message_can_be_read_while_the_stream_goes_on(gateway: Program, topics: Topics, batch_id: int) -> None:
    topics.create(batch_id)
    first, second, *_ = batch_events(batch_id, 3)
    topics.write_events([first])
    async with raw(gateway) as client, client.get(f"/api/stream?batchId={batch_id}", headers=GZIP) as response:
        lines = _lines(response)
        assert [await anext(lines) for _ in range(3)][2] == b"id: 0"
        topics.write_events([second])
        while await anext(lines) != b"id: 1":
            pass


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    reader, rest = zlib.decompressobj(zlib.MAX_WBITS | 16), b""
    async for data in response.content.iter_any():
        *lines, rest = (rest + reader.decompress(data)).split(b"\n")
        for line in lines:
            yield line


async def test_a_gateway_that_was_not_told_to_sends_bytes_as_they_are(
    make_gateway: Callable[..., Program], topics: Topics, batch_id: int
) -> None:
    gateway = make_gateway()
    gateway.run()
    topics.create(batch_id)
    topics.write_events(batch_events(batch_id, 3))
    async with raw(gateway) as client, client.get(f"/api/stream?batchId={batch_id}", headers=GZIP) as response:
        assert "Content-Encoding" not in response.headers
        assert (await response.read()).startswith(b"retry: ")
