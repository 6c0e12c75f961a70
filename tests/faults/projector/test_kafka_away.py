"""Brokers die and come back, topics lose their beginning: every event counts once, or its offset is in a gap."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import asyncpg
import pytest
from confluent_kafka import TopicPartition
from headway_events import FileComplete, encode
from msgspec import Raw

from infra.local.kafka import START_TIMEOUT_S, KafkaBroker, KafkaCluster
from support.batches import batch_events
from support.eventually import eventually
from support.load import written_meanwhile
from support.programs import Program
from support.size import full_or
from support.tables import Tables
from support.topics import Topics

KILLS = full_or(10, 3)
FILES = 200  # of a batch in each round of writing
RECOVERY_S = 60.0


@pytest.mark.timeout(400)
async def test_the_leader_killed_again_and_again_under_load_loses_and_doubles_nothing(
    kafka_cluster: KafkaCluster, make_projector: Callable[..., Program], topics: Topics, tables: Tables, batch_id: int
) -> None:
    projector = make_projector()
    projector.run()
    batches = [batch_id + number for number in range(3)]
    for one in batches:
        topics.create(one)
        topics.announce(one)
    async with written_meanwhile(topics, batches, files=FILES):
        for kill in range(KILLS):
            one = batches[kill % len(batches)]
            topic = topics.names.of_batch(one)
            leader = await asyncio.to_thread(topics.leader, topic)
            broker = kafka_cluster.brokers[leader - 1]
            broker.kill()
            await eventually(lambda: topics.leader(topic), lambda now: now not in {-1, leader}, within_s=RECOVERY_S)  # noqa: B023
            reached = await tables.next_offset(one)
            await tables.wait_for(one, reached + FILES, within_s=RECOVERY_S)
            broker.start()
            await asyncio.to_thread(broker.wait, START_TIMEOUT_S)
            await eventually(lambda: topics.in_sync(topic), lambda replicas: replicas == 3, within_s=RECOVERY_S)  # noqa: B023
    assert await tables.differences(topics, batches, within_s=RECOVERY_S) == []
    await eventually(projector.healthy, lambda wrong: wrong is None)


async def test_the_only_broker_killed_and_started_again_under_load_loses_and_doubles_nothing(
    own_kafka: KafkaBroker, make_projector: Callable[..., Program], topics: Topics, tables: Tables, batch_id: int
) -> None:
    projector = make_projector()
    projector.run()
    topics.create(batch_id)
    topics.announce(batch_id)
    async with written_meanwhile(topics, [batch_id], files=FILES):
        for _ in range(2):
            reached = await tables.next_offset(batch_id)
            await tables.wait_for(batch_id, reached + FILES, within_s=RECOVERY_S)
            own_kafka.kill()
            await eventually(projector.healthy, lambda wrong: "Kafka" in (wrong or "") or "broker" in (wrong or ""))
            own_kafka.start()
            await asyncio.to_thread(own_kafka.wait, START_TIMEOUT_S)
    assert await tables.differences(topics, [batch_id], within_s=RECOVERY_S) == []
    await eventually(projector.healthy, lambda wrong: wrong is None)


async def test_a_topic_cut_above_a_projector_that_is_behind_leaves_no_offset_unaccounted_for(
    projector: Program, topics: Topics, tables: Tables, database_url: str, batch_id: int
) -> None:
    topic = topics.create(batch_id)
    topics.announce(batch_id)
    topics.write_events(batch_events(batch_id, 5))
    await tables.wait_for(batch_id, 8)
    large = Raw(f'"{random.randbytes(400_000).hex()}"'.encode())  # more of it than is fetched ahead; does not compress
    events = [FileComplete(batch_id=batch_id, stage="s", file_name=f"{n}", response=large) for n in range(120)]
    other = await asyncpg.connect(database_url)
    async with other.transaction():  # holds the projector back
        await other.execute("SELECT 1 FROM batch WHERE batchId = $1 FOR UPDATE", batch_id)
        topics.write(topic, map(encode, events))
        cut = TopicPartition(topic, 0, 125)
        await asyncio.sleep(1)  # in which it fetches what it will
        topics.admin.delete_records([cut])[cut].result(timeout=10)
    await other.close()
    await tables.wait_for(batch_id, 128)
    (gap,) = await tables.connection.fetch("SELECT * FROM offsetGapView WHERE batchId = $1", batch_id)
    logged = await tables.connection.fetch("SELECT topicOffset FROM eventLog WHERE batchId = $1", batch_id)
    offsets = sorted([row["topicoffset"] for row in logged] + list(range(gap["fromoffset"], gap["tooffset"])))
    assert gap["tooffset"] == 125
    assert offsets == list(range(128))
    assert "offset_gap" in projector.log_text()
