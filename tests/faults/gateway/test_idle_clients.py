"""Thousands of clients that wait cost little, and each gets what comes."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from support.batches import batch_events
from support.eventually import eventually
from support.programs import Program
from support.topics import Topics

CLIENTS = 10_000
CLIENTS_OF_ADDRESS = 2_500  # so that the ports of one address do
MOST_BYTES = 30_000  # of the gateway's memory for each
TIMEOUT_S = 60


def connect(port: int, number: int) -> socket.socket:
    address = f"127.0.0.{2 + number // CLIENTS_OF_ADDRESS}"
    return socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S, source_address=(address, 0))


def read_to(client: socket.socket, end: bytes) -> bytes:
    received = b""
    while end not in received:
        data = client.recv(1 << 16)
        assert data, received
        received += data
    return received


@pytest.mark.timeout(400)
async def test_ten_thousand_idle_clients_take_less_than_30_kb_each_and_all_get_the_next_event(
    make_gateway: Callable[..., Program], topics: Topics, batch_id: int
) -> None:
    gateway = make_gateway(HEADWAY_GATEWAY_MOST_STREAMS="20000", HEADWAY_GATEWAY_MOST_STREAMS_BY_ADDRESS="20000")
    gateway.run()
    process = gateway.process()
    assert process is not None
    topics.create(batch_id)
    events = list(batch_events(batch_id, 10))
    topics.write_events(events[:4])
    request = f"GET /api/stream?batchId={batch_id} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    with ExitStack() as stack:
        first = stack.enter_context(connect(gateway.port, 0))
        first.sendall(request)
        read_to(first, b"id: 3\n")
        before = process.memory_info().rss
        clients = [stack.enter_context(connect(gateway.port, number)) for number in range(CLIENTS)]
        for client in clients:
            client.sendall(request)
        for client in clients:
            assert read_to(client, b"id: 3\n").startswith(b"HTTP/1.1 200 OK")
        assert (process.memory_info().rss - before) / CLIENTS < MOST_BYTES
        assert gateway.metric('headway_gateway_streams{mode="events"}') == CLIENTS + 1
        topics.write_events(events[4:5])
        for client in clients:
            read_to(client, b"id: 4\n")
    await eventually(lambda: gateway.metric('headway_gateway_streams{mode="events"}'), lambda streams: streams == 0)
