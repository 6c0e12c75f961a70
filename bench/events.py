"""The batches that the benchmarks write: one stage of n files, five in every thousand failed, as pipelines report."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from headway_events import (
    Announcement,
    BatchComplete,
    Event,
    FileComplete,
    FileError,
    StageComplete,
    StageProgress,
    StageStart,
    encode_announcement,
    headers,
    key,
    registry_key,
)
from headway_events.topics import BATCH_TOPIC_CONFIG

from bench.stack import ADMIN_TIMEOUT_S, BenchStack

CHECKPOINT_EVERY = 50  # files; the guide's interval for large batches
FAILED_OF_THOUSAND = 5
TOPICS_A_REQUEST = 100  # a request for thousands would outlast the broker's patience
POLL_EVERY = 10_000  # records
FLUSH_TIMEOUT_S = 60


class Record(NamedTuple):
    """An event as Kafka takes it, written for batch 0: `of_batch` makes it another batch's."""

    value: bytes
    key: bytes | None
    headers: dict[str, str | bytes | None]
    timestamp_ms: int

    def of_batch(self, batch_id: int) -> bytes:
        """The value for a batch, by exchanging its id: many times as fast as encoding the event again."""
        return self.value.replace(b'"batchId":0,', b'"batchId":%d,' % batch_id, 1)


def batch_events(batch_id: int, files: int) -> Iterator[Event]:
    """Every event of a batch of one stage, in order; about `files` * 1.02 of them."""
    begin = datetime.now(UTC) - timedelta(milliseconds=files)
    stage = "denoise"
    yield StageStart(batch_id=batch_id, timestamp=begin, stage=stage, total_files=files)
    failed = 0
    for number in range(files):
        happened = begin + timedelta(milliseconds=number)
        name = f"recordings/2026-11/audio{number:07d}.wav"
        if number % 1000 < FAILED_OF_THOUSAND:
            failed += 1
            yield FileError(
                batch_id=batch_id, timestamp=happened, stage=stage, file_name=name,
                response=msgspec.Raw(b'{"status":"error","type":"LibsndfileError","message":"Format not recognised."}'),
                gpu_ip="10.0.0.7", duration_ms=3.5,
            )  # fmt: skip
        else:
            yield FileComplete(
                batch_id=batch_id, timestamp=happened, stage=stage, file_name=name,
                response=msgspec.Raw(b'{"status":"success","snrBefore":4.81,"snrAfter":17.32,"seconds":2.5}'),
                gpu_ip="10.0.0.7", duration_ms=41.25,
            )  # fmt: skip
        if (number + 1) % CHECKPOINT_EVERY == 0:
            yield StageProgress(
                batch_id=batch_id, timestamp=happened, stage=stage,
                processed_files=number + 1 - failed, total_files=files, failed_files=failed,
            )  # fmt: skip
    ended = begin + timedelta(milliseconds=files)
    yield StageComplete(
        batch_id=batch_id, timestamp=ended, stage=stage, processed_files=files - failed, failed_files=failed
    )
    yield BatchComplete(batch_id=batch_id, timestamp=ended)


def batch_records(files: int) -> Iterator[Record]:
    """The records of a batch, in order."""
    encoder = msgspec.json.Encoder()
    for event in batch_events(0, files):
        stamp = int((event.timestamp or datetime.now(UTC)).timestamp() * 1000)
        yield Record(encoder.encode(event), key(event), dict(headers(event, source="/bench")), stamp)


def create_topics(stack: BenchStack, topics: Sequence[str]) -> None:
    """Make topics as a batch's are made."""
    admin = AdminClient({"bootstrap.servers": stack.bootstrap, "log_level": 3})
    for first in range(0, len(topics), TOPICS_A_REQUEST):
        some = topics[first : first + TOPICS_A_REQUEST]
        created = admin.create_topics([NewTopic(topic, 1, 1, config=BATCH_TOPIC_CONFIG) for topic in some])
        for result in created.values():
            result.result(timeout=ADMIN_TIMEOUT_S)


def announce(stack: BenchStack, batch_ids: Sequence[int]) -> None:
    """Tell the projector of batches."""
    producer = Producer({**producer_settings(stack, linger_ms=0), "partitioner": "murmur2_random"})
    for batch_id in batch_ids:
        announcement = Announcement(
            batch_id=batch_id, topic=stack.names.of_batch(batch_id), created_at=datetime.now(UTC)
        )
        producer.produce(stack.names.registry, key=registry_key(batch_id), value=encode_announcement(announcement))
    _flush(producer)


def producer_settings(stack: BenchStack, linger_ms: int) -> dict[str, str | int | bool]:
    """A producer as safe as that of `headway`."""
    return {
        "bootstrap.servers": stack.bootstrap,
        "enable.idempotence": True,
        "max.in.flight.requests.per.connection": 1,  # see headway.kafka
        "compression.type": "lz4",
        "linger.ms": linger_ms,
        "queue.buffering.max.messages": 1_000_000,
        "log_level": 3,
    }


def write(stack: BenchStack, batch_ids: Sequence[int], files: int, a_second: float | None = None) -> int:
    """Write batches at once, the first event of each, then the second of each, ...; how many events each has.

    As fast as Kafka takes them, or so many of all a second.
    """
    producer = Producer(producer_settings(stack, linger_ms=20))
    topics = {batch_id: stack.names.of_batch(batch_id) for batch_id in batch_ids}
    count = produced = 0
    begin = time.perf_counter()
    for record in batch_records(files):
        count += 1
        if a_second is not None:
            time.sleep(max(0.0, begin + produced / a_second - time.perf_counter()))
        for batch_id, topic in topics.items():
            producer.produce(
                topic, value=record.of_batch(batch_id), key=record.key, headers=record.headers,
                timestamp=record.timestamp_ms,
            )  # fmt: skip
            produced += 1
            if produced % POLL_EVERY == 0:
                producer.poll(0)
    _flush(producer)
    return count


def _flush(producer: Producer) -> None:
    if left := producer.flush(FLUSH_TIMEOUT_S):
        raise RuntimeError(f"Kafka did not take {left} records within {FLUSH_TIMEOUT_S} s")
