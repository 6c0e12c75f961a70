"""What does gzip cost a stream, and what does it gain? A replay from memory, with and without, to one client."""

from __future__ import annotations

from bench.backlog import new_batches
from bench.events import create_topics, write
from bench.figures import Figure
from bench.replay import read_bytes, read_stream
from bench.stack import BenchStack

ROUNDS = 3
FILES = 50_000


def measure(stack: BenchStack) -> list[Figure]:
    """Events a second, and bytes an event."""
    (batch_id,) = new_batches(1)
    create_topics(stack, [stack.names.of_batch(batch_id)])
    count = write(stack, [batch_id], FILES)
    path = f"/api/stream?batchId={batch_id}"
    rates, plain_rates, sizes, plain_sizes = [], [], [], []
    with stack.gateway(HEADWAY_GATEWAY_COMPRESS="1") as port:
        read_stream(port, path, count)  # from Kafka: what is measured comes from memory
        for _ in range(ROUNDS):
            plain = read_bytes(port, path)
            compressed = read_bytes(port, path, "Accept-Encoding: gzip\r\n")
            rates.append(count / compressed.total_s)
            plain_rates.append(count / plain.total_s)
            sizes.append(len(compressed.body) / count)
            plain_sizes.append(len(plain.body) / count)
    return [
        Figure.of_rounds("replay as gzip to one client", "events/s", rates, plain_rates, "as it is"),
        Figure.of_rounds("an event of a replay as gzip", "bytes", sizes, plain_sizes, "as it is"),
    ]
