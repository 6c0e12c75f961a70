"""How many events reach five hundred clients when they come in bulk? Beside it: bare aiohttp, as much to as many.

All clients have caught up when the events are written; the time is from the first `produce` until the last client has
the last of them, Kafka's part included.
"""

from __future__ import annotations

import time

from confluent_kafka import Producer

from bench.backlog import new_batches
from bench.events import batch_records, create_topics, producer_settings
from bench.figures import Bound, Figure
from bench.prepared import prepared_response
from bench.replay import read_stream, stream_size
from bench.sse_clients import sse_clients
from bench.stack import BenchStack

ROUNDS = 3
CLIENTS = 500
FILES = 5_000
AT_LEAST = 1_000_000  # deliveries a second


def measure(stack: BenchStack) -> list[Figure]:
    """Events delivered a second, to all clients together."""
    ours, bare = [], []
    for batch_id in new_batches(ROUNDS):
        topic = stack.names.of_batch(batch_id)
        create_topics(stack, [topic])
        records = [(record.of_batch(batch_id), record.key) for record in batch_records(FILES)]
        values = [value for value, _ in records]
        path = f"/api/stream?batchId={batch_id}"
        with stack.gateway() as port:
            with sse_clients(port, path, CLIENTS) as clients:
                _produce(stack, topic, records[:1])
                clients.join()
                clients.read(stream_size(batch_id, values[:1]))
                begin = time.perf_counter()
                _produce(stack, topic, records[1:])
                ours.append(len(records) * CLIENTS / (clients.read(stream_size(batch_id, values)) - begin))
            body = read_stream(port, path, len(records)).body
        with prepared_response(body) as bare_port, sse_clients(bare_port, "/", CLIENTS) as clients:
            begin = time.perf_counter()
            clients.join()
            bare.append(len(records) * CLIENTS / (clients.read(len(body)) - begin))
    return [
        Figure.of_rounds(
            f"live fan-out of {FILES:,} files to {CLIENTS} clients", "events/s", ours, bare,
            "bare aiohttp, the same bytes to each", Bound(at_least=AT_LEAST),
        )
    ]  # fmt: skip


def _produce(stack: BenchStack, topic: str, records: list[tuple[bytes, bytes | None]]) -> None:
    producer = Producer(producer_settings(stack, linger_ms=5))
    for value, key in records:
        producer.produce(topic, value=value, key=key)
        producer.poll(0)
    producer.flush()
