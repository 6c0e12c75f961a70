"""What does it cost the gateway to send one message to one client, when messages come one by one?

That is how it is where thousands look on at batches that report a few files a second: each message is a write of its
own. The processor time of a gateway is read from the system, over as many events as are written in turn to one batch
with five hundred clients. Beside it: the same number of events written at once.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import islice

from confluent_kafka import Producer

from bench.backlog import new_batches
from bench.events import batch_records, create_topics, producer_settings
from bench.figures import Figure
from bench.processor_time import spent_s
from bench.replay import stream_size
from bench.sse_clients import sse_clients
from bench.stack import BenchStack

CLIENTS = 500
EVENTS = 200
EVERY_S = 0.05
ROUNDS = 3
TIMEOUT_S = 60


def measure(stack: BenchStack) -> list[Figure]:
    """Microseconds of processor time for a message to a client."""
    alone, at_once = zip(*(_round(stack) for _ in range(ROUNDS)), strict=True)
    return [
        Figure.of_rounds(
            f"processor time of the gateway for a message to one of {CLIENTS} clients",
            "µs",
            alone,
            at_once,
            f"where {EVENTS} come at once",
        )
    ]


def _round(stack: BenchStack) -> tuple[float, float]:
    (batch_id,) = new_batches(1)
    topic = stack.names.of_batch(batch_id)
    create_topics(stack, [topic])
    values = [record.of_batch(batch_id) for record in islice(batch_records(2 * EVENTS + 1), 2 * EVENTS + 1)]
    producer = Producer(producer_settings(stack, linger_ms=0))

    def write(some: Sequence[bytes], every_s: float) -> None:
        for value in some:
            producer.produce(topic, value=value)
            producer.poll(0)
            time.sleep(every_s)
        producer.flush(TIMEOUT_S)

    path = f"/api/stream?batchId={batch_id}"
    with stack.gateway_process() as (port, process), sse_clients(port, path, CLIENTS) as clients:
        write(values[:1], 0)
        clients.join()
        clients.read(stream_size(batch_id, values[:1]))
        begin = spent_s(process)
        write(values[1 : EVENTS + 1], EVERY_S)
        clients.read(stream_size(batch_id, values[: EVENTS + 1]))
        between = spent_s(process)
        write(values[EVENTS + 1 :], 0)
        clients.read(stream_size(batch_id, values))
        end = spent_s(process)
    return (between - begin) / (EVENTS * CLIENTS) * 1e6, (end - between) / (EVENTS * CLIENTS) * 1e6
