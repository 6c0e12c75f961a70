"""How fast does a late joiner get a whole batch? Beside it: aiohttp serving the same bytes as one prepared response."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from typing import NamedTuple

from headway_events import decode
from headway_gateway import sse
from headway_gateway.client import RETRY_MS

from bench.backlog import new_batches
from bench.events import create_topics, write
from bench.figures import Bound, Figure
from bench.prepared import prepared_response
from bench.stack import BenchStack

ROUNDS = 5
FILES = 98_000  # about 100,000 events
READ_BYTES = 1 << 20
READ_TIMEOUT_S = 60
RATIO_AT_LEAST = 0.5
FIRST_BYTE_BELOW_MS = 50


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
            first = read_stream(port, path, count)
            cold.append(count / first.total_s)
            first_bytes.append(first.first_byte_s * 1000)
            warm.append(count / read_stream(port, path, count).total_s)
            with prepared_response(first.body) as bare_port:
                read_bytes(bare_port, "/")  # as the gateway's, a server that has answered before
                prepared = read_bytes(bare_port, "/")
            bare.append(count / prepared.total_s)
            bare_first_bytes.append(prepared.first_byte_s * 1000)
    limit_is = "one prepared aiohttp response of the same bytes"
    return [
        Figure.of_rounds(f"replay to the first late joiner ({FILES:,} files)", "events/s", cold, bare, limit_is),
        Figure.of_rounds(
            f"replay to the next late joiner ({FILES:,} files)", "events/s", warm, bare, limit_is,
            Bound(ratio_at_least=RATIO_AT_LEAST),
        ),
        Figure.of_rounds(
            "first byte of a replay from Kafka", "ms", first_bytes, bare_first_bytes, limit_is,
            Bound(below=FIRST_BYTE_BELOW_MS),
        ),
    ]  # fmt: skip


def stream_size(batch_id: int, values: Sequence[bytes]) -> int:
    """The bytes of a stream of a batch whose records have these values."""
    events = [(offset, decode(value, batch_id=batch_id), value) for offset, value in enumerate(values)]
    return len(sse.retry(RETRY_MS)) + len(sse.encode_chunk(events, 0, len(events)).encoded)


def read_stream(port: int, path: str, count: int) -> Reading:
    """Read a stream of so many events to its end.

    Raises:
        RuntimeError: it had another number of them: a fast wrong answer is worth nothing.
    """
    reading = read_bytes(port, path)
    found = reading.body.count(b"\nevent: ")
    if found != count:
        raise RuntimeError(f"Expected {count} events in the replay, got {found}: {reading.body[:200]!r}")
    return reading


def read_bytes(port: int, path: str, headers: str = "") -> Reading:
    """Read one response to its end with a bare socket, so that the client is not what is measured."""
    received = []
    begin = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), timeout=READ_TIMEOUT_S) as connection:
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{headers}\r\n"
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
