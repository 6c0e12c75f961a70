"""Kafka as the outbox needs it: topics made, batches announced, records produced. The only user of confluent_kafka."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from enum import Enum, auto
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from headway_events.kafka_refusals import explained, remedy
from headway_events.topics import (
    BATCH_TOPIC_CONFIG,
    BATCH_TOPIC_PARTITIONS,
    MOST_REPLICAS,
    PRODUCER_CONFIG,
    REGISTRY_PARTITIONS,
    REGISTRY_TOPIC_CONFIG,
)
from headway_events.wire import cloud_event_headers

from headway.job_log import JobLog
from headway.record import Record
from headway.settings import Settings

ADMIN_TIMEOUT_S: Final = 5.0
OWN_HEADERS: Final = frozenset({"ce_id", "ce_time"})  # that differ from record to record
PATIENCE_S: Final = 1.0  # ten times what a topic takes; a kill -9 would lose what waits for it in memory
MESSAGE_MAX_BYTES: Final = 1_000_000  # below the topic's max.message.bytes, with room for headers

Delivered = Callable[[KafkaError | None, Message], None]
Header = tuple[str, str | bytes | None]


class TopicState(Enum):
    """Whether a topic is there."""

    READY = auto()
    PENDING = auto()
    FAILED = auto()


class KafkaSender:
    """One idempotent producer. `produce` never blocks; the outcome comes in `poll`, through each record's callback."""

    def __init__(self, settings: Settings) -> None:
        """Connect in the background, as the settings say."""
        self._settings = settings
        self._known_topics: set[str] = set()
        self._making: Iterator[None] | None = None
        self._replicas = settings.replication_factor or MOST_REPLICAS  # of new topics; fewer once there are not so many
        self._asked_at = 0.0
        self.problem = ""
        """Why the last topic could not be made, or the connection was refused."""
        self._log = JobLog()
        self._source = f"/{socket.gethostname()}/{os.getpid()}"
        self._same_headers: dict[str, list[Header]] = {}  # by event type
        common: dict[str, str | int | float | bool] = {
            **settings.connection,
            "log_level": 2,  # critical: that Kafka is away is said once, by the outbox, not every second
            "reconnect.backoff.max.ms": 2000,
        }
        self._admin = AdminClient(common)
        self._producer = Producer(
            {
                **common,
                **PRODUCER_CONFIG,
                "error_cb": self._hear,
                "linger.ms": 1,  # the outbox has gathered already
                "partitioner": "murmur2_random",  # the registry is compacted: see headway_events.registry_partition
                "topic.metadata.propagation.max.ms": 5000,  # a deleted topic's records are refused, and sent again
                "message.timeout.ms": 0,  # never given up: the outbox decides what waits on disk instead
                "message.max.bytes": MESSAGE_MAX_BYTES * 2,
                "queue.buffering.max.messages": 1_000_000,  # the outbox's own limit is lower
            }
        )

    def ensure_batch_topic(self, topic: str) -> TopicState:
        """Create a batch's topic, and the registry, unless they are there. Never blocks: ask again while PENDING.

        FAILED is also said when Kafka has not answered for a while; a late answer is heard when asked again.
        """
        if topic in self._known_topics:
            return TopicState.READY
        if self._making is None:
            self._making = self._make(topic)
            self._asked_at = time.monotonic()
        try:
            next(self._making)
        except StopIteration:
            self._making = None
        except KafkaException as error:
            self._making = None
            self.problem = explained(error.args[0])
            return TopicState.FAILED
        if topic in self._known_topics:
            return TopicState.READY
        return TopicState.PENDING if time.monotonic() - self._asked_at < PATIENCE_S else TopicState.FAILED

    def forget_topic(self, topic: str) -> None:
        """The topic has gone: create it again at the next use."""
        self._known_topics.discard(topic)

    def produce(self, record: Record, delivered: Delivered) -> None:
        """Hand a record over.

        Raises:
            KafkaException: the producer will not have it.
            BufferError: the producer's own queue is full; the outbox's bounds are far below.
        """
        self._producer.produce(
            record.topic,
            record.value,
            record.key,
            -1,
            delivered,
            timestamp=record.timestamp_ms,
            headers=self._headers(record) if record.event_type else None,
        )

    def poll(self, timeout_s: float) -> None:
        """Let the callbacks happen; waits at most so long for the first."""
        self._producer.poll(timeout_s)

    def purge(self) -> None:
        """Give up what Kafka does not have yet; each record's `delivered` is called."""
        self._producer.purge()
        self._producer.flush(1)

    def _headers(self, record: Record) -> list[Header]:
        """The CloudEvents headers. Only the id and the time are a record's own."""
        same = self._same_headers.get(record.event_type)
        if same is None:
            same = self._same_headers[record.event_type] = [
                header
                for header in cloud_event_headers(record.event_type, source=self._source, event_id="", time="")
                if header[0] not in OWN_HEADERS
            ]
        return [*same, ("ce_id", record.event_id.encode()), ("ce_time", record.happened)]

    def destroy(self) -> None:
        """Let go of Kafka. Waits for the client's threads, which may wait for a resolver: never to be left to `del`."""
        self._making = None
        del self._admin, self._producer

    def _hear(self, error: KafkaError) -> None:
        """A refusal is said by itself: librdkafka tries for ever, and events would go to the spool without a reason."""
        if remedy(error.str()) is None:
            return
        self.problem = explained(error.str())
        sentence = (
            f"Kafka at {self._settings.bootstrap} refuses this program; events are kept and tried again: {self.problem}"
        )
        self._log.say(logging.WARNING, "kafka_refuses", sentence)

    def _make(self, topic: str) -> Iterator[None]:
        """Step by step, as Kafka answers. No thread of Python's: none can be started while the interpreter ends.

        How many brokers there are is found by trying: those that are away for a moment count, and librdkafka 2.16 ends
        the process where `describe_cluster` is answered by a broker that has just started and knows of none.
        """
        replicas = self._replicas
        while True:
            try:
                yield from self._create(topic, replicas)
            except KafkaException as error:
                is_too_many = error.args[0].code() == KafkaError.INVALID_REPLICATION_FACTOR
                if self._settings.replication_factor or replicas == 1 or not is_too_many:
                    raise
                replicas -= 1
            else:
                self._replicas = replicas
                return

    def _create(self, topic: str, replicas: int) -> Iterator[None]:
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
