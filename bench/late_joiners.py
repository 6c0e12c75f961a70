"""How long do a hundred late joiners take that come at once? Beside it: bare aiohttp writing the same bytes to as many.

The gateway reads the topic from Kafka once: the first client of each round comes to a topic that nobody has read yet.
"""

from __future__ import annotations

import time

from bench.backlog import new_batches
from bench.events import create_topics, write
from bench.figures import Bound, Figure
from bench.prepared import prepared_response
from bench.replay import read_stream
from bench.sse_clients import sse_clients
from bench.stack import BenchStack

ROUNDS = 3
JOINERS = 100
FILES = 20_000
RATIO_AT_LEAST = 0.5  # of bare aiohttp's rate: at most twice its time


def measure(stack: BenchStack) -> list[Figure]:
    """Events delivered a second, to all joiners together."""
    batches = new_batches(ROUNDS)
    create_topics(stack, [stack.names.of_batch(batch_id) for batch_id in batches])
    count = write(stack, batches, FILES)
    ours, bare, by_two = [], [], []
    with (
        stack.gateway() as port,
        stack.gateway(HEADWAY_GATEWAY_PROCESSES="2") as port_of_two,
        stack.gateway() as other_port,
    ):
        for batch_id in batches:
            path = f"/api/stream?batchId={batch_id}"
            size = len(read_stream(other_port, path, count).body)
            ours.append(count * JOINERS / _seconds(port, path, size))
            by_two.append(count * JOINERS / _seconds(port_of_two, path, size))
            body = read_stream(port, path, count).body
            with prepared_response(body) as bare_port:
                bare.append(count * JOINERS / _seconds(bare_port, "/", len(body)))
    question = f"{JOINERS} late joiners at once, {count:,} events each"
    bound = Bound(ratio_at_least=RATIO_AT_LEAST)
    return [
        Figure.of_rounds(question, "events/s", ours, bare, "bare aiohttp, the same bytes to each", bound),
        Figure.of_rounds(f"{question}, two processes", "events/s", by_two, ours, "one process"),
    ]


def _seconds(port: int, path: str, size: int) -> float:
    with sse_clients(port, path, JOINERS) as clients:
        begin = time.perf_counter()
        clients.join()
        return clients.read(size) - begin
