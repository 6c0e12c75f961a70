"""How much memory does a client take that has read a batch so far and waits for more?

Ten thousand of them follow one batch of one gateway process. Its resident memory (RSS) is read from /proc when the
first has come, and when the last has had a heartbeat. Beside it: as many answers of bare aiohttp on uvloop
that has sent the same events and waits. The clients have several addresses, as the ports of one would not do.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection

import psutil
import uvloop
from aiohttp import web
from confluent_kafka import Producer

from bench.backlog import new_batches
from bench.events import batch_records, create_topics, producer_settings
from bench.figures import Bound, Figure
from bench.stack import BenchStack

CLIENTS = 10_000
CLIENTS_OF_ADDRESS = 2_500
EVENTS = 100  # that each reads
HEARTBEAT = b":\n\n"
HEARTBEAT_S = 15
TIMEOUT_S = 60.0
MOST_BYTES = 30_000


def measure(stack: BenchStack) -> list[Figure]:
    """Bytes of resident memory for each idle connection."""
    (batch_id,) = new_batches(1)
    create_topics(stack, [stack.names.of_batch(batch_id)])
    _write(stack, batch_id)
    limits = {"HEADWAY_GATEWAY_MOST_STREAMS": "100000", "HEADWAY_GATEWAY_MOST_STREAMS_BY_ADDRESS": "100000"}
    with stack.gateway_process(**limits) as (port, process):
        ours, events = _bytes_of_each(port, process, f"/api/stream?batchId={batch_id}")
    with _bare_server(events) as (port, process):
        bare, _ = _bytes_of_each(port, process, "/")
    limit_is = "an answer of bare aiohttp that has sent the same and waits"
    return [
        Figure.of_rounds(
            f"memory of an idle stream, of {CLIENTS:,}", "bytes", [ours], [bare], limit_is, Bound(below=MOST_BYTES)
        )
    ]


def _write(stack: BenchStack, batch_id: int) -> None:
    """The beginning of a batch that does not end."""
    producer = Producer(producer_settings(stack, linger_ms=5))
    for _, record in zip(range(EVENTS), batch_records(EVENTS), strict=False):
        producer.produce(stack.names.of_batch(batch_id), value=record.of_batch(batch_id), key=record.key)
    if left := producer.flush(TIMEOUT_S):
        raise RuntimeError(f"Kafka did not take {left} records within {TIMEOUT_S} s")


def _bytes_of_each(port: int, process: psutil.Process, path: str) -> tuple[float, bytes]:
    """By how much a server's memory grows with each client, and what each is sent."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    end = b"id: %d\n" % (EVENTS - 1)
    with ExitStack() as stack:
        first = stack.enter_context(_connect(port, 0))  # what it needs to begin is not each client's
        first.sendall(request)
        events = _read_to(first, end).partition(b"\r\n\r\n")[2]
        before = process.memory_info().rss
        clients = [stack.enter_context(_connect(port, number)) for number in range(CLIENTS)]
        for client in clients:
            client.sendall(request)
        for client in clients:
            _read_to(client, end)
        _read_to(clients[-1], HEARTBEAT)
        return (process.memory_info().rss - before) / CLIENTS, events


def _connect(port: int, number: int) -> socket.socket:
    address = f"127.0.0.{2 + number // CLIENTS_OF_ADDRESS}"
    return socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S, source_address=(address, 0))


def _read_to(client: socket.socket, end: bytes) -> bytes:
    received = b""
    while end not in received:
        data = client.recv(1 << 16)
        if not data:
            raise RuntimeError(f"Hung up on after {received[:200]!r}")
        received += data
    return received


@contextmanager
def _bare_server(events: bytes) -> Iterator[tuple[int, psutil.Process]]:
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, events), daemon=True)
    server.start()
    try:
        yield ours.recv(), psutil.Process(server.pid)
    finally:
        server.terminate()
        server.join()


def _serve(port_to: Connection, events: bytes) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(events)
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            await response.write(HEARTBEAT)

    async def serve() -> None:
        app = web.Application()
        app.router.add_get("/", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        port_to.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    uvloop.run(serve())
