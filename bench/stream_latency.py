"""How long does an event take to two hundred clients, at a thousand files a second in one batch?

From the call of a bare `produce` to the bytes' arrival at each client. Beside it, at the same time: a bare consumer of
the same topic. The clients share one process, which reads one after the other; that is in the figure.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from confluent_kafka import Producer

from bench.backlog import new_batches
from bench.events import batch_records, create_topics, producer_settings
from bench.figures import Figure
from bench.latency import FILES, WARM_UP, Seen, consume, milliseconds, paced
from bench.replay import stream_size
from bench.sse_clients import sse_clients
from bench.stack import BenchStack

CLIENTS = 200


def measure(stack: BenchStack) -> list[Figure]:
    """Milliseconds at p50 and p99 over all events and clients."""
    (batch_id,) = new_batches(1)
    topic = stack.names.of_batch(batch_id)
    create_topics(stack, [topic])
    records = [(record.of_batch(batch_id), record.key) for record in batch_records(FILES)][:FILES]
    producer = Producer(producer_settings(stack, linger_ms=5))

    def call(number: int) -> None:
        value, key = records[number]
        producer.produce(topic, value=value, key=key)
        producer.poll(0)

    path = f"/api/stream?batchId={batch_id}"
    with (
        stack.gateway() as port,
        sse_clients(port, path, CLIENTS, note_ids=True) as clients,
        ThreadPoolExecutor(1) as thread,
    ):
        clients.join()
        bare = thread.submit(consume, stack.bootstrap, topic)
        with paced(call, then=producer.flush) as called:
            clients.read(stream_size(batch_id, [value for value, _ in records]))
        arrivals = clients.arrivals()
    counted = {number: called[number] for number in range(WARM_UP, FILES)}
    ours = [spent for client in arrivals for spent in milliseconds(counted, _seen(client))]
    limit = milliseconds(counted, bare.result())
    return [_figure(quantile, ours, limit) for quantile in (50, 99)]


def _seen(arrivals: Mapping[int, float]) -> list[Seen]:
    return [Seen(at, event_id + 1) for event_id, at in sorted(arrivals.items())]


def _figure(quantile: int, ours: Sequence[float], limit: Sequence[float]) -> Figure:
    at, limit_at = (statistics.quantiles(spent, n=100)[quantile - 1] for spent in (ours, limit))
    return Figure(
        question=f"event to {CLIENTS} clients at 1,000 files/s, p{quantile}",
        unit="ms",
        ours=at,
        limit=limit_at,
        limit_is="a bare consumer of the same records",
        spread=(min(ours), max(ours)),
        rounds=1,
    )
