"""The servers that tests stand on are real: what they acknowledged survives kill -9, and tests are kept apart."""

from __future__ import annotations

import asyncpg
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from infra.local.kafka import START_TIMEOUT_S, KafkaBroker, KafkaCluster
from infra.local.postgres import PostgresServer
from support.eventually import eventually
from support.topics import Topics


def test_records_come_back_in_order_with_their_offsets(topics: Topics, batch_id: int) -> None:
    topic = topics.create(batch_id)
    values = [b"value %d" % number for number in range(1000)]
    topics.write(topic, values)
    records = topics.read(topic, at_least=1000)
    assert [record.value for record in records] == values
    assert [record.offset for record in records] == list(range(1000))


def test_waiting_for_records_that_never_come_fails(
    topics: Topics, batch_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = topics.create(batch_id)
    monkeypatch.setattr("support.topics.TIMEOUT_S", 1.0)
    with pytest.raises(AssertionError, match=r"at least 1 records .* found 0"):
        topics.read(topic, at_least=1)


def test_a_broker_killed_and_started_again_has_every_acknowledged_record(
    own_kafka: KafkaBroker, topics: Topics, batch_id: int
) -> None:
    topic = topics.create(batch_id)
    topics.write(topic, [b"before"])
    own_kafka.kill()
    assert own_kafka.process() is None
    own_kafka.start()
    own_kafka.wait(START_TIMEOUT_S)
    topics.write(topic, [b"after"])
    assert [record.value for record in topics.read(topic, at_least=2)] == [b"before", b"after"]


def test_a_cluster_takes_writes_while_one_of_three_brokers_is_dead(kafka_cluster: KafkaCluster, batch_id: int) -> None:
    topic = f"cluster-{batch_id}"
    admin = AdminClient({"bootstrap.servers": kafka_cluster.bootstrap})
    admin.create_topics([NewTopic(topic, 1, 3)])[topic].result(30)
    producer = Producer({"bootstrap.servers": kafka_cluster.bootstrap, "acks": "all"})
    dead = kafka_cluster.brokers[0]
    dead.kill()
    try:
        producer.produce(topic, b"to two brokers")
        assert producer.flush(60) == 0
    finally:
        dead.start()
        dead.wait(START_TIMEOUT_S)


async def test_a_database_is_empty_and_apart_from_the_servers_own(database_url: str, postgres: str) -> None:
    connection = await asyncpg.connect(database_url)
    tables = await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    name = await connection.fetchval("SELECT current_database()")
    await connection.close()
    assert tables == 0
    assert not postgres.endswith(f"/{name}")


async def test_a_postgres_killed_and_started_again_has_every_commit(
    own_postgres: PostgresServer, database_url: str
) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    connection.terminate()
    own_postgres.kill()
    own_postgres.start()
    own_postgres.wait(START_TIMEOUT_S)
    connection = await asyncpg.connect(database_url)
    one = await connection.fetchval("SELECT one FROM kept")
    await connection.close()
    assert one == 1


async def test_eventually_shows_the_last_value_when_patience_ends() -> None:
    with pytest.raises(AssertionError, match="the last value was 7"):
        await eventually(lambda: 7, lambda value: value > 7, within_s=0.1)
