"""Clients that stand still, and gateways that end: nobody loses an event, and nobody holds up another."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import aiohttp

from support.batches import batch_events
from support.eventually import eventually
from support.programs import Program
from support.stream import ids, read
from support.topics import Topics


async def test_a_frozen_client_is_cut_off_and_the_others_are_not_held_up(
    make_gateway: Callable[..., Program], topics: Topics, batch_id: int
) -> None:
    gateway = make_gateway(HEADWAY_GATEWAY_WRITE_TIMEOUT_S="1")
    gateway.run()
    topics.create(batch_id)
    topics.write_events(batch_events(batch_id, 60_000))  # more than the sockets' buffers hold
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port, limit=1024)
    writer.write(f"GET /api/stream?batchId={batch_id} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    await writer.drain()
    async with aiohttp.ClientSession(gateway.url) as client:
        assert len(await read(client, batch_id)) == 60_003
    await eventually(gateway.log_text, lambda text: "client_cut_off" in text, within_s=15)
    writer.close()
    with contextlib.suppress(ConnectionResetError):
        await writer.wait_closed()


async def test_a_gateway_that_ends_lets_its_clients_resume_at_another_without_loss(
    make_gateway: Callable[..., Program], topics: Topics, batch_id: int
) -> None:
    first, second = make_gateway(), make_gateway()
    first.run()
    second.run()
    topics.create(batch_id)
    *events, last = batch_events(batch_id, 50)
    topics.write_events(events[:20])
    async with aiohttp.ClientSession(first.url) as client:
        reading = asyncio.create_task(read(client, batch_id))
        await asyncio.sleep(1)
        await asyncio.to_thread(first.stop)
        found = await reading
    assert ids(found) == list(range(20))
    topics.write_events([*events[20:], last])
    async with aiohttp.ClientSession(second.url) as client:
        found += await read(client, batch_id, headers={"Last-Event-ID": found[-1].id})
    assert ids(found) == list(range(53))
