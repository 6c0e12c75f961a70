"""The batches that the benchmarks write: one stage of n files, five in every thousand failed, as pipelines report."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

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
    TopicNames,
    encode_announcement,
    headers,
    key,
    registry_key,
)
from headway_events.topics import BATCH_TOPIC_CONFIG

CHECKPOINT_EVERY = 50  # files; the guide's interval for large batches
FAILED_OF_THOUSAND = 5


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


def write_batch(bootstrap: str, names: TopicNames, batch_id: int, files: int) -> int:
    """Write a batch to its topic, unannounced; the number of its events, which is also the next offset."""
    topic = names.of_batch(batch_id)
    admin = AdminClient({"bootstrap.servers": bootstrap})
    created = admin.create_topics([NewTopic(topic, 1, 1, config=BATCH_TOPIC_CONFIG)])
    created[topic].result(timeout=30)
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "max.in.flight.requests.per.connection": 1,  # see headway.kafka
            "compression.type": "lz4",
            "linger.ms": 20,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    encoder = msgspec.json.Encoder()
    count = 0
    for event in batch_events(batch_id, files):
        stamp = int((event.timestamp or datetime.now(UTC)).timestamp() * 1000)
        producer.produce(
            topic, value=encoder.encode(event), key=key(event), timestamp=stamp,
            headers=dict(headers(event, source="/bench")),
        )  # fmt: skip
        count += 1
        if count % 10_000 == 0:
            producer.poll(0)
    if left := producer.flush(60):
        raise RuntimeError(f"Kafka did not take {left} of {count} events within 60 s")
    return count


def announce(bootstrap: str, names: TopicNames, batch_id: int) -> None:
    """Tell the projector of a batch."""
    producer = Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2_random"})
    announcement = Announcement(batch_id=batch_id, topic=names.of_batch(batch_id), created_at=datetime.now(UTC))
    producer.produce(names.registry, key=registry_key(batch_id), value=encode_announcement(announcement))
    if producer.flush(30):
        raise RuntimeError("Kafka did not take the announcement within 30 s")
