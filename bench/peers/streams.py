"""How does the gateway compare with what people would use instead to stream events to browsers?

- A Mercure hub with its history in Bolt (`mercure_hub.py`).
- Wikimedia's KafkaSSE (`kafka_sse_server.py`), which reads the same topics as ours.

All stream the same events, in their own framing, to the same clients (`resuming_clients.py`), on the same machine, the
rounds in turn. Replay is of events that are written already: to fill the hub's history is not in its figure. Live, the
time is from when the first event is given to Kafka or to the hub until the last client has the last event.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import NamedTuple, TypeAlias

from bench.backlog import new_batches
from bench.events import create_topics
from bench.figures import Figure
from bench.peers.kafka_sse_server import kafka_sse
from bench.peers.mercure_hub import mercure_hub
from bench.peers.resuming_clients import Read, resuming_clients
from bench.peers.streaming import Message, StreamServer, gateway, messages_of
from bench.stack import BenchStack

ROUNDS = 3
FILES = 20_000
JOINERS = 100
LIVE_FILES = 5_000
LIVE_CLIENTS = 500
WARM_UP_FILES = 50  # to one client before a replay, so that no server answers for the first time

Server: TypeAlias = Callable[[BenchStack], AbstractContextManager[StreamServer]]
PEERS: dict[str, Server] = {"a Mercure hub with Bolt": mercure_hub, "KafkaSSE": kafka_sse}


class Delivery(NamedTuple):
    """Events that clients have got."""

    rate: float  # a second, to all clients together
    connections: float  # of a client


def measure(stack: BenchStack) -> list[Figure]:
    """Events delivered a second, to all clients together: ours, and each peer's."""
    return [
        *_figures(stack, f"replay of {FILES:,} files to one late joiner, beside", partial(_replayed, joiners=1)),
        *_figures(
            stack, f"replay of {FILES:,} files to {JOINERS} at once, beside", partial(_replayed, joiners=JOINERS)
        ),
        *_figures(stack, f"live fan-out of {LIVE_FILES:,} files to {LIVE_CLIENTS} clients, beside", _fanned_out),
    ]


def _figures(stack: BenchStack, question: str, deliver: Callable[[BenchStack, Server], Delivery]) -> list[Figure]:
    ours: list[float] = []
    peers: dict[str, list[Delivery]] = {name: [] for name in PEERS}
    for _ in range(ROUNDS):
        ours.append(deliver(stack, gateway).rate)
        for name, server in PEERS.items():
            peers[name].append(deliver(stack, server))
    return [
        Figure.of_rounds(
            f"{question} {name}", "events/s", ours, [delivery.rate for delivery in deliveries],
            f"{name}, {statistics.mean(delivery.connections for delivery in deliveries):.3g} connections a client",
        )
        for name, deliveries in peers.items()
    ]  # fmt: skip


def _replayed(stack: BenchStack, server: Server, joiners: int) -> Delivery:
    with server(stack) as running:
        _replay(stack, running, WARM_UP_FILES, 1)
        return _replay(stack, running, FILES, joiners)


def _replay(stack: BenchStack, server: StreamServer, files: int, joiners: int) -> Delivery:
    batch_id, messages = _new_batch(stack, files)
    server.publish(batch_id, messages, 0)
    with resuming_clients(server.port, server.path(batch_id), joiners, server.greeting) as clients:
        size = server.size(batch_id, messages)
        begin = time.perf_counter()
        clients.begin(size)
        read = clients.done()
    return _delivery(read, len(messages), joiners, begin, server.event_id(batch_id, len(messages) - 1))


def _fanned_out(stack: BenchStack, server: Server) -> Delivery:
    batch_id, messages = _new_batch(stack, LIVE_FILES)
    with server(stack) as running:
        running.publish(batch_id, messages[:1], 0)
        with resuming_clients(running.port, running.path(batch_id), LIVE_CLIENTS, running.greeting) as clients:
            clients.begin(running.size(batch_id, messages[:1]))
            clients.done()
            clients.begin(running.size(batch_id, messages))
            begin = time.perf_counter()
            running.publish(batch_id, messages[1:], 1)
            read = clients.done()
        last_id = running.event_id(batch_id, len(messages) - 1)
    return _delivery(read, len(messages) - 1, LIVE_CLIENTS, begin, last_id)


def _new_batch(stack: BenchStack, files: int) -> tuple[int, list[Message]]:
    (batch_id,) = new_batches(1)
    create_topics(stack, [stack.names.of_batch(batch_id)])  # of no use to the hub
    return batch_id, messages_of(batch_id, files)


def _delivery(read: Read, events: int, clients: int, begin: float, last_id: bytes) -> Delivery:
    if read.last_ids != {last_id}:
        raise RuntimeError(f"Expected every client to end with the id {last_id!r}, they have {read.last_ids}")
    return Delivery(events * clients / (read.at - begin), read.connections / clients)
