"""How does the gateway compare with what people would use instead to stream events to browsers?

- A Mercure hub with its history in Bolt (`mercure_hub.py`).
- Wikimedia's KafkaSSE (`kafka_sse_server.py`), which reads the same topics as ours.

All stream the same events, in their own framing, to the same clients (`resuming_clients.py`), on the same machine, the
rounds in turn; KafkaSSE has one round where it takes minutes. Replay is of events that are written already: to fill
the hub's history is not in its figure. Live, the time is from when the first event is given to Kafka or to the hub
until the last client has the last event.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import NamedTuple

from bench.backlog import new_batches
from bench.events import create_topics
from bench.figures import Figure
from bench.peers.kafka_sse_server import kafka_sse
from bench.peers.mercure_hub import mercure_hub
from bench.peers.resuming_clients import Read, resuming_clients
from bench.peers.streaming import Message, StreamServer, gateway, messages_of
from bench.stack import BenchStack

ROUNDS = 3
FILES = 10_000
JOINERS = 100
LIVE_FILES = 2_000
LIVE_CLIENTS = 500
WARM_UP_FILES = 50  # to one client before a replay, so that no server answers for the first time
SETTLE_S = 3.0  # for a server to be done with clients that have gone, before the next one is measured
OURS = "the gateway"
KAFKA_SSE = "KafkaSSE"

SERVERS: dict[str, Callable[[BenchStack], AbstractContextManager[StreamServer]]] = {
    OURS: gateway,
    "a Mercure hub with Bolt": mercure_hub,
    KAFKA_SSE: kafka_sse,
}


class Batch(NamedTuple):
    """A batch and its events."""

    batch_id: int
    messages: Sequence[Message]


class Delivery(NamedTuple):
    """Events that clients have got."""

    rate: float  # a second, to all clients together
    connections: float  # of a client


def measure(stack: BenchStack) -> list[Figure]:
    """Events delivered a second, to all clients together: ours, and each peer's."""
    live = f"live fan-out of {LIVE_FILES:,} files to {LIVE_CLIENTS} clients"
    return [*_replays(stack), *_figures(live, lambda name: _fanned_out(stack, name), once=KAFKA_SSE)]


def _replays(stack: BenchStack) -> Iterator[Figure]:
    with ExitStack() as running:
        servers = {name: running.enter_context(server(stack)) for name, server in SERVERS.items()}
        for server in servers.values():
            _replayed(server, _written(stack, server, WARM_UP_FILES), joiners=1)
        batches = {name: _written(stack, server, FILES) for name, server in servers.items() if name != OURS}

        def unread(name: str) -> Batch:
            # Ours would have a batch in memory at the second time; the others begin anew each time.
            return batches.get(name) or _written(stack, servers[name], FILES)

        def next_replayed(name: str) -> Delivery:
            batch = unread(name)
            _replayed(servers[name], batch, joiners=1)
            return _replayed(servers[name], batch, joiners=1)

        def to(joiners: int) -> Callable[[str], Delivery]:
            return lambda name: _replayed(servers[name], unread(name), joiners)

        question = f"replay of {FILES:,} files to"
        yield from _figures(f"{question} the first late joiner", to(1))
        yield from _figures(f"{question} the next late joiner", next_replayed)
        yield from _figures(f"{question} {JOINERS} late joiners at once", to(JOINERS), once=KAFKA_SSE)


def _figures(question: str, deliver: Callable[[str], Delivery], once: str | None = None) -> Iterator[Figure]:
    """What each server makes of a question, in rounds; who takes minutes for it is asked `once`."""
    deliveries: dict[str, list[Delivery]] = {name: [] for name in SERVERS}
    for number in range(ROUNDS):
        for name, rounds in deliveries.items():
            if number == 0 or name != once:
                rounds.append(deliver(name))
                time.sleep(SETTLE_S)
    ours = [delivery.rate for delivery in deliveries.pop(OURS)]
    for name, rounds in deliveries.items():
        connections = statistics.mean(delivery.connections for delivery in rounds)
        yield Figure.of_rounds(
            f"{question}, beside {name}", "events/s", ours, [delivery.rate for delivery in rounds],
            f"{name}, connections a client: {connections:.3g}",
        )  # fmt: skip


def _written(stack: BenchStack, server: StreamServer, files: int) -> Batch:
    batch = _new_batch(stack, files)
    server.publish(batch.batch_id, batch.messages, 0)
    return batch


def _replayed(server: StreamServer, batch: Batch, joiners: int) -> Delivery:
    batch_id, messages = batch
    with resuming_clients(server.port, server.path(batch_id), joiners, server.greeting) as clients:
        size = server.size(batch_id, messages)
        begin = time.perf_counter()
        clients.begin(size)
        read = clients.done()
    return _delivery(read, len(messages), joiners, begin, server.event_id(batch_id, len(messages) - 1))


def _fanned_out(stack: BenchStack, name: str) -> Delivery:
    batch_id, messages = _new_batch(stack, LIVE_FILES)
    with SERVERS[name](stack) as server:
        server.publish(batch_id, messages[:1], 0)
        with resuming_clients(server.port, server.path(batch_id), LIVE_CLIENTS, server.greeting) as clients:
            clients.begin(server.size(batch_id, messages[:1]))
            clients.done()
            clients.begin(server.size(batch_id, messages))
            begin = time.perf_counter()
            server.publish(batch_id, messages[1:], 1)
            read = clients.done()
        last_id = server.event_id(batch_id, len(messages) - 1)
    return _delivery(read, len(messages) - 1, LIVE_CLIENTS, begin, last_id)


def _new_batch(stack: BenchStack, files: int) -> Batch:
    (batch_id,) = new_batches(1)
    create_topics(stack, [stack.names.of_batch(batch_id)])  # of no use to the hub
    return Batch(batch_id, messages_of(batch_id, files))


def _delivery(read: Read, events: int, clients: int, begin: float, last_id: bytes) -> Delivery:
    if read.last_ids != {last_id}:
        raise RuntimeError(f"Expected every client to end with the id {last_id!r}, they have {read.last_ids}")
    return Delivery(events * clients / (read.at - begin), read.connections / clients)
