"""How fast does a late joiner get a whole batch? Beside it: aiohttp serving the same bytes as one prepared response."""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import time
from multiprocessing.connection import Connection
from typing import NamedTuple

import uvloop
from aiohttp import web

from bench.backlog import new_batches
from bench.events import create_topics, write
from bench.figures import Figure
from bench.stack import BenchStack

ROUNDS = 5
FILES = 98_000  # about 100,000 events
READ_BYTES = 1 << 20
READ_TIMEOUT_S = 60


class Reading(NamedTuple):
    """One whole response, as a client saw it."""

    body: bytes
    first_byte_s: float
    total_s: float


def measure(stack: BenchStack) -> list[Figure]:
    """Events a second to one client: the first to join (from Kafka) and a later one (from the shared history)."""
    batches = new_batches(ROUNDS)
    create_topics(stack, [stack.names.of_batch(batch_id) for batch_id in batches])
    count = write(stack, batches, FILES)
    cold: list[float] = []
    warm: list[float] = []
    bare, first_bytes, bare_first_bytes = [], [], []
    with stack.gateway() as port:
        for batch_id in batches:
            path = f"/api/stream?batchId={batch_id}&from=earliest"
            for rates in (cold, warm):
                reading = _read(port, path)
                _check(reading, count)
                rates.append(count / reading.total_s)
            first_bytes.append(reading.first_byte_s * 1000)
            prepared = _read_prepared(reading.body)
            bare.append(count / prepared.total_s)
            bare_first_bytes.append(prepared.first_byte_s * 1000)
    limit_is = "one prepared aiohttp response of the same bytes"
    return [
        Figure.of_rounds(f"replay to the first late joiner ({FILES:,} files)", "events/s", cold, bare, limit_is),
        Figure.of_rounds(f"replay to the next late joiner ({FILES:,} files)", "events/s", warm, bare, limit_is),
        Figure.of_rounds("first byte of a replay", "ms", first_bytes, bare_first_bytes, limit_is),
    ]


def _read(port: int, path: str) -> Reading:
    """Read one response to its end with a bare socket, so that the client is not what is measured."""
    received = []
    begin = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), timeout=READ_TIMEOUT_S) as connection:
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        received.append(connection.recv(READ_BYTES))
        first_byte_s = time.perf_counter() - begin
        while data := connection.recv(READ_BYTES):
            received.append(data)
    total_s = time.perf_counter() - begin
    head, _, body = b"".join(received).partition(b"\r\n\r\n")
    return Reading(_unchunked(body) if b"chunked" in head else body, first_byte_s, total_s)


def _unchunked(body: bytes) -> bytes:
    parts: list[bytes] = []
    position = 0
    while True:
        line_end = body.index(b"\r\n", position)
        size = int(body[position:line_end], 16)
        if not size:
            return b"".join(parts)
        parts.append(body[line_end + 2 : line_end + 2 + size])
        position = line_end + 2 + size + 2


def _check(reading: Reading, count: int) -> None:
    """Every event once: a fast wrong answer is worth nothing."""
    found = reading.body.count(b"\nevent: ")
    if found != count:
        raise RuntimeError(f"Expected {count} events in the replay, got {found}: {reading.body[:200]!r}")


def _read_prepared(body: bytes) -> Reading:
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve_prepared, args=(theirs, body), daemon=True)
    server.start()
    try:
        port = ours.recv()
        _read(port, "/")  # as the gateway's, a server that has answered before
        return _read(port, "/")
    finally:
        server.terminate()
        server.join()


def _serve_prepared(port_to: Connection, body: bytes) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body)

    async def serve() -> None:
        app = web.Application()
        app.router.add_get("/", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port_to.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    uvloop.run(serve())
