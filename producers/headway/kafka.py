"""Kafka as the outbox needs it: topics made, batches announced, records produced. The only user of confluent_kafka."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from enum import Enum, auto
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from headway_events.topics import (
    BATCH_TOPIC_CONFIG,
    BATCH_TOPIC_PARTITIONS,
    MOST_REPLICAS,
    PRODUCER_CONFIG,
    REGISTRY_PARTITIONS,
    REGISTRY_TOPIC_CONFIG,
)
from headway_events.wire import cloud_event_headers

from headway.record import Record
from headway.settings import Settings

ADMIN_TIMEOUT_S: Final = 5.0
MESSAGE_MAX_BYTES: Final = 1_000_000  # below the topic's max.message.bytes, with room for headers

Arrived = Callable[[Record], None]
Refused = Callable[[Record, KafkaError], None]


class TopicState(Enum):
    """Whether a topic is there."""

    READY = auto()
    PENDING = auto()
    FAILED = auto()


class KafkaSender:
    """One idempotent producer. `produce` never blocks; the outcome comes in `poll`, through the two callbacks."""

    def __init__(self, settings: Settings, *, arrived: Arrived, refused: Refused) -> None:
        """Connect in the background.

        Args:
            settings: where Kafka is and what topics are called.
            arrived: called with each record that Kafka has.
            refused: called with each record that Kafka will not take, and why.
        """
        self._settings = settings
        self._arrived = arrived
        self._refused = refused
        self._known_topics: set[str] = set()
        self._making: Iterator[None] | None = None
        self.problem = ""
        """Why the last topic could not be made."""
        self._source = f"/{socket.gethostname()}/{os.getpid()}"
        common: dict[str, str | int | float | bool] = {
            "bootstrap.servers": settings.bootstrap,
            "log_level": 2,  # critical: that Kafka is away is said once, by the outbox, not every second
            "reconnect.backoff.max.ms": 2000,
        }
        self._admin = AdminClient(common)
        self._producer = Producer(
            {
                **common,
                **PRODUCER_CONFIG,
                "linger.ms": 5,
                "partitioner": "murmur2_random",  # the registry is compacted: see headway_events.registry_partition
                "message.timeout.ms": 0,  # never given up: the outbox decides what waits on disk instead
                "message.max.bytes": MESSAGE_MAX_BYTES * 2,
                "queue.buffering.max.messages": 1_000_000,  # the outbox's own limit is lower
            }
        )

    def ensure_batch_topic(self, topic: str) -> TopicState:
        """Create a batch's topic, and the registry, unless they are there. Never blocks: ask again while PENDING."""
        if topic in self._known_topics:
            return TopicState.READY
        self._making = self._making or self._make(topic)
        try:
            next(self._making)
        except StopIteration:
            self._making = None
        except KafkaException as error:
            self._making = None
            self.problem = str(error.args[0])
            return TopicState.FAILED
        return TopicState.READY if topic in self._known_topics else TopicState.PENDING

    def forget_topic(self, topic: str) -> None:
        """The topic has gone: create it again at the next use."""
        self._known_topics.discard(topic)

    def produce(self, record: Record) -> None:
        """Hand a record over; `refused` is called at once if the producer will not have it.

        Raises:
            BufferError: the producer's own queue is full; the outbox's bounds are far below.
        """
        try:
            self._producer.produce(
                record.topic,
                value=record.value,
                key=record.key,
                timestamp=record.timestamp_ms,
                headers=_headers(record, self._source),
                on_delivery=lambda error, _message: self._delivered(record, error, _message),
            )
        except KafkaException as error:
            self._refused(record, error.args[0])

    def poll(self, timeout_s: float) -> None:
        """Let the callbacks happen; waits at most so long for the first."""
        self._producer.poll(timeout_s)

    def purge(self) -> None:
        """Give up what Kafka does not have yet; `refused` is called for each record."""
        self._producer.purge()
        self._producer.flush(1)

    def _delivered(self, record: Record, error: KafkaError | None, _message: Message) -> None:
        if error is None:
            self._arrived(record)
        else:
            self._refused(record, error)

    def _make(self, topic: str) -> Iterator[None]:
        """Step by step, as Kafka answers. No thread of Python's: none can be started while the interpreter ends."""
        replicas = self._settings.replication_factor
        if not replicas:
            cluster = self._admin.describe_cluster(request_timeout=ADMIN_TIMEOUT_S)
            yield from _until_done(cluster)
            replicas = max(1, min(MOST_REPLICAS, len(cluster.result().nodes)))
        wanted = [
            NewTopic(topic, BATCH_TOPIC_PARTITIONS, replicas, config=BATCH_TOPIC_CONFIG),
            NewTopic(self._settings.names.registry, REGISTRY_PARTITIONS, replicas, config=REGISTRY_TOPIC_CONFIG),
        ]
        missing = [one for one in wanted if one.topic not in self._known_topics]
        for name, created in self._admin.create_topics(missing, request_timeout=ADMIN_TIMEOUT_S).items():
            yield from _until_done(created)
            _unless_there(created)
            self._known_topics.add(name)


def _until_done(future: Future[Any]) -> Iterator[None]:
    while not future.done():
        yield


def _unless_there(created: Future[None]) -> None:
    try:
        created.result()
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise


def _headers(record: Record, source: str) -> list[tuple[str, str | bytes | None]]:
    """The CloudEvents headers; an announcement, which has no event type, has none."""
    if not record.event_type:
        return []
    return [*cloud_event_headers(record.event_type, source=source, event_id=record.event_id, time=record.time)]
