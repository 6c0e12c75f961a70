"""What the benchmark of streams asks of every server: which bytes it sends for a batch, and how it gets its events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import msgspec
from confluent_kafka import Producer
from headway_events import key
from headway_gateway import sse
from headway_gateway.client import RETRY_MS

from bench.events import batch_events, producer_settings
from bench.replay import stream_size
from bench.stack import JARS, BenchStack

PROGRAMS = JARS.parent / "peers"  # where peers are built and installed
POLL_EVERY = 10_000  # records
FLUSH_TIMEOUT_S = 60


class Message(NamedTuple):
    """An event as it is published."""

    event_type: str
    value: bytes
    key: bytes | None


def messages_of(batch_id: int, files: int) -> list[Message]:
    """The events of a batch, in order."""
    encoder = msgspec.json.Encoder()
    return [Message(event.event_type, encoder.encode(event), key(event)) for event in batch_events(batch_id, files)]


class StreamServer(Protocol):
    """A server that streams the events of batches, from the first on and as they come."""

    @property
    def port(self) -> int:
        """Where it listens."""

    @property
    def greeting(self) -> bytes:
        """What it sends before the first event of each connection."""

    def path(self, batch_id: int) -> str:
        """Where a client gets all events of a batch."""

    def size(self, batch_id: int, messages: Sequence[Message]) -> int:
        """The bytes that it sends for these events, the batch's first."""

    def event_id(self, batch_id: int, number: int) -> bytes:
        """The id of a batch's event, the first of which is number 0."""

    def publish(self, batch_id: int, messages: Sequence[Message], begin: int) -> None:
        """Give it these events, which are the batch's from number `begin` on; returns when they are durable."""


@dataclass(frozen=True)
class Gateway:
    """Ours."""

    stack: BenchStack
    port: int
    greeting: bytes = sse.retry(RETRY_MS)

    def path(self, batch_id: int) -> str:
        """Where a client gets all events of a batch."""
        return f"/api/stream?batchId={batch_id}&from=earliest"

    def size(self, batch_id: int, messages: Sequence[Message]) -> int:
        """The bytes that it sends for these events, the batch's first."""
        return stream_size(batch_id, [message.value for message in messages]) - len(self.greeting)

    def event_id(self, batch_id: int, number: int) -> bytes:
        """The id of a batch's event."""
        return b"%d" % number

    def publish(self, batch_id: int, messages: Sequence[Message], begin: int) -> None:
        """Write records, as `headway` does."""
        publish_to_kafka(self.stack, batch_id, messages)


@contextmanager
def gateway(stack: BenchStack) -> Iterator[Gateway]:
    """A running gateway, of one process."""
    with stack.gateway() as port:
        yield Gateway(stack, port)


def publish_to_kafka(stack: BenchStack, batch_id: int, messages: Sequence[Message]) -> None:
    """Write records to a batch's topic."""
    producer = Producer(producer_settings(stack, linger_ms=5))
    topic = stack.names.of_batch(batch_id)
    for number, message in enumerate(messages):
        producer.produce(topic, value=message.value, key=message.key)
        if number % POLL_EVERY == 0:
            producer.poll(0)
    if left := producer.flush(FLUSH_TIMEOUT_S):
        raise RuntimeError(f"Kafka did not take {left} records within {FLUSH_TIMEOUT_S} s")
