"""Reads and writes topics in tests, record by record, without Headway's own producer or reader."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, PartitionMetadata
from headway_events import Announcement, Event, TopicNames, encode, encode_announcement, key, registry_key
from headway_events.topics import BATCH_TOPIC_CONFIG

TIMEOUT_S = 30.0
CREATED_AT_ONCE = 100  # topics in one request


class Record(NamedTuple):
    """One record as Kafka holds it."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]
    timestamp_ms: int


class Topics:
    """The topics of one test, under names of its own."""

    def __init__(self, bootstrap: str, names: TopicNames) -> None:
        self.bootstrap = bootstrap
        self.names = names
        self.admin = AdminClient({"bootstrap.servers": bootstrap})
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "max.in.flight.requests.per.connection": 1,  # see headway.kafka
                "compression.type": "lz4",
                "linger.ms": 5,
                "partitioner": "murmur2_random",
            }
        )

    def create(self, batch_id: int) -> str:
        """Create a batch's topic, replicated as the brokers do by default, and wait until clients find it; its name."""
        topic = self.names.of_batch(batch_id)
        self.admin.create_topics([NewTopic(topic, 1, config=BATCH_TOPIC_CONFIG)])[topic].result(timeout=TIMEOUT_S)
        while not self.admin.list_topics(topic, timeout=TIMEOUT_S).topics[topic].partitions:
            time.sleep(0.01)  # made, but the broker that answers clients has not heard of it yet
        return topic

    def create_all(self, batch_ids: Iterable[int]) -> None:
        """Create the topics of many batches."""
        topics = [NewTopic(self.names.of_batch(batch_id), 1, config=BATCH_TOPIC_CONFIG) for batch_id in batch_ids]
        for begin in range(0, len(topics), CREATED_AT_ONCE):
            for created in self.admin.create_topics(topics[begin : begin + CREATED_AT_ONCE]).values():
                created.result(timeout=TIMEOUT_S)
        wanted = {topic.topic for topic in topics}
        while not wanted <= self.admin.list_topics(timeout=TIMEOUT_S).topics.keys():
            time.sleep(0.05)

    def exists(self, topic: str) -> bool:
        """Whether there is such a topic."""
        return topic in self.admin.list_topics(timeout=TIMEOUT_S).topics

    def leader(self, topic: str) -> int:
        """The broker that leads a topic's partition; -1 while there is none."""
        return self._partition(topic).leader

    def in_sync(self, topic: str) -> int:
        """How many replicas of a topic's partition are in sync."""
        return len(self._partition(topic).isrs)

    def _partition(self, topic: str) -> PartitionMetadata:
        return self.admin.list_topics(topic, timeout=TIMEOUT_S).topics[topic].partitions[0]

    def delete(self, topic: str) -> None:
        """Delete a topic."""
        self.admin.delete_topics([topic])[topic].result(timeout=TIMEOUT_S)

    def write(self, topic: str, records: Iterable[bytes | None], *, record_key: bytes | None = None) -> None:
        """Write values as they are, in order, and wait until Kafka has them."""
        for number, value in enumerate(records, start=1):
            self._producer.produce(topic, value=value, key=record_key)
            if number % 10_000 == 0:
                self._producer.flush(TIMEOUT_S)
        self._flush(topic)

    def write_events(self, events: Iterable[Event]) -> None:
        """Write events to the topics of their batches, in order, and wait until Kafka has them."""
        for event in events:
            self._producer.produce(self.names.of_batch(event.batch_id), value=encode(event), key=key(event))
            self._producer.poll(0)
        self._flush("the batch topics")

    def announce(self, batch_id: int, name: str | None = None, labels: Mapping[str, str] | None = None) -> None:
        """Announce a batch in the registry."""
        self._announce(batch_id, name, labels or {})
        self._flush(self.names.registry)

    def announce_all(self, batch_ids: Iterable[int], name: str | None = None) -> None:
        """Announce batches in the registry."""
        for batch_id in batch_ids:
            self._announce(batch_id, name, {})
        self._flush(self.names.registry)

    def _announce(self, batch_id: int, name: str | None, labels: Mapping[str, str]) -> None:
        announcement = Announcement(
            batch_id=batch_id, topic=self.names.of_batch(batch_id), name=name, labels=dict(labels),
            created_at=datetime.now(UTC),
        )  # fmt: skip
        value = encode_announcement(announcement)
        self._producer.produce(self.names.registry, key=registry_key(batch_id), value=value)

    def read(self, topic: str, *, at_least: int = 0, partitions: int = 1) -> list[Record]:
        """Every record of a topic, as soon as there are `at_least` so many; fails when they do not come."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            records: list[Record] = []
            try:
                found = self._read_once([(topic, partition) for partition in range(partitions)])
                records = [record for of_partition in found.values() for record in of_partition]
                if len(records) >= at_least:
                    return records
            except KafkaException as error:  # a topic made a moment ago has no leader yet
                if error.args[0].code() != KafkaError.NOT_LEADER_FOR_PARTITION:
                    raise
            if time.monotonic() > deadline:
                raise AssertionError(f"Expected at least {at_least} records in {topic}, found {len(records)}")
            time.sleep(0.1)

    def read_partition(self, topic: str, partition: int) -> list[Record]:
        """Every record of one partition."""
        return self._read_once([(topic, partition)])[topic, partition]

    def read_batches(self, batch_ids: Iterable[int]) -> dict[int, list[Record]]:
        """Every record of the topics of these batches, which are read side by side."""
        topics = {batch_id: self.names.of_batch(batch_id) for batch_id in batch_ids}
        found = self._read_once([(topic, 0) for topic in topics.values()])
        return {batch_id: found[topic, 0] for batch_id, topic in topics.items()}

    def _read_once(self, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], list[Record]]:
        """Every record of these topics' partitions, up to their ends as they are now."""
        consumer = Consumer(
            {"bootstrap.servers": self.bootstrap, "group.id": "tests", "enable.auto.commit": False, "log_level": 0}
        )
        try:
            found: dict[tuple[str, int], list[Record]] = {place: [] for place in places}
            position, end = {}, {}
            for place in found:
                position[place], end[place] = consumer.get_watermark_offsets(TopicPartition(*place), timeout=TIMEOUT_S)
            partitions = [TopicPartition(*place, position[place]) for place in found]
            consumer.assign(partitions)
            deadline = time.monotonic() + TIMEOUT_S
            while any(position[place] < end[place] for place in found) and time.monotonic() < deadline:
                for message in consumer.consume(5000, timeout=0.2):
                    place = (message.topic() or "", message.partition() or 0)
                    if (error := message.error()) is not None:
                        raise AssertionError(f"{place}: {KafkaError(error.code())}")
                    found[place].append(_record(message))
                for one in consumer.position(partitions):
                    place = (one.topic, one.partition)
                    position[place] = max(position[place], one.offset)
            return found
        finally:
            consumer.close()

    def _flush(self, what: str) -> None:
        if left := self._producer.flush(TIMEOUT_S):
            raise AssertionError(f"Kafka did not take {left} records for {what} within {TIMEOUT_S:g} s")


def _record(message: Message) -> Record:
    return Record(
        offset=message.offset() or 0,
        key=message.key(),
        value=message.value(),
        headers=_headers(message),
        timestamp_ms=message.timestamp()[1],
    )


def _headers(message: Message) -> dict[str, bytes]:
    pairs = message.headers() or []
    assert isinstance(pairs, list)
    return {name: value for name, value in pairs if isinstance(value, bytes)}
