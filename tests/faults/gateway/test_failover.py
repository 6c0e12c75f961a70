"""While a replica is away, a topic that seems to be shorter than it was is not taken for another one."""

from __future__ import annotations

import asyncio

import aiohttp

from infra.local.kafka import START_TIMEOUT_S, KafkaCluster
from support.batches import batch_events
from support.eventually import eventually
from support.stream import read
from support.topics import Topics


async def test_an_id_beyond_the_end_resets_the_stream_only_once_all_replicas_are_in_sync(
    kafka_cluster: KafkaCluster, client: aiohttp.ClientSession, topics: Topics, batch_id: int
) -> None:
    topic = topics.create(batch_id)
    topics.write_events(batch_events(batch_id, 3))
    broker = kafka_cluster.brokers[topics.leader(topic) - 1]
    broker.kill()
    await eventually(lambda: topics.in_sync(topic), lambda replicas: replicas == 2)
    async with client.get(f"/api/stream?batchId={batch_id}&lastEventId=6") as response:
        assert response.status == 503
        assert "in sync" in await response.text()
    broker.start()
    await asyncio.to_thread(broker.wait, START_TIMEOUT_S)
    await eventually(lambda: topics.in_sync(topic), lambda replicas: replicas == 3, within_s=60)
    assert (await read(client, batch_id, headers={"Last-Event-ID": "6"}))[0].event == "reset"
