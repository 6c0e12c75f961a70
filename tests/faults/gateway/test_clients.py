"""Clients that stand still, and gateways that end: nobody loses an event, and nobody holds up another."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from support.batches import batch_events
from support.eventually import eventually
from support.programs import Program
from support.sse import Message
from support.stream import ids, read
from support.topics import Topics

Curl = Callable[[str, Path, str], Awaitable[asyncio.subprocess.Process]]


@pytest.fixture
async def curl() -> AsyncIterator[Curl]:
    """Starts curls that read an address into a file, so many bytes a second; returns when they have begun."""
    running: list[asyncio.subprocess.Process] = []

    async def start(address: str, output: Path, rate: str) -> asyncio.subprocess.Process:
        arguments = ["--silent", "--no-buffer", "--limit-rate", rate, "-o", str(output), address]
        running.append(await asyncio.create_subprocess_exec("curl", *arguments))
        await eventually(lambda: output.exists() and output.stat().st_size, bool)
        return running[-1]

    yield start
    for one in running:
        with contextlib.suppress(ProcessLookupError):
            one.kill()
        await one.wait()


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


async def test_frozen_and_slow_clients_cost_little_memory_and_hold_up_nobody_and_the_frozen_resume(
    make_gateway: Callable[..., Program], curl: Curl, topics: Topics, batch_id: int, tmp_path: Path
) -> None:
    gateway = make_gateway(HEADWAY_GATEWAY_WRITE_TIMEOUT_S="2", HEADWAY_GATEWAY_CACHE_BYTES=str(8 << 20))
    gateway.run()
    process = gateway.process()
    assert process is not None
    topics.create(batch_id)
    topics.write_events(batch_events(batch_id, 60_000))
    stream = f"{gateway.url}/api/stream?batchId={batch_id}"
    async with aiohttp.ClientSession(gateway.url) as client:
        whole = await read(client, batch_id)
        before = process.memory_info().rss
        outputs = [tmp_path / f"{number}.txt" for number in range(20)]
        frozen = [await curl(stream, output, "100k") for output in outputs]
        for number in range(5):
            await curl(stream, tmp_path / f"slow{number}.txt", "1k")
        for one in frozen:
            one.send_signal(signal.SIGSTOP)
        assert len(await read(client, batch_id)) == len(whole)
        await eventually(lambda: gateway.log_text().count("client_cut_off"), lambda cut: cut >= len(frozen))
        assert process.memory_info().rss - before < len(frozen) * _size(whole) / 2
        for output in outputs[:3]:
            kept = output.read_text().rpartition("\n\n")[0]
            last = kept.rpartition("\nid: ")[2].partition("\n")[0]
            rest = await read(client, batch_id, headers={"Last-Event-ID": last})
            assert ids(rest) == list(range(int(last) + 1, len(whole)))


def _size(found: list[Message]) -> int:
    return sum(len(message.data) for message in found)
