"""A finished batch is served alike before and after its topic goes, and says so when its events are gone too."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from support.batches import batch_events
from support.eventually import eventually
from support.programs import Program
from support.stream import read
from support.tables import Tables
from support.topics import Topics


@pytest.fixture
def tidy(make_projector: Callable[..., Program]) -> Program:
    """A running projector that keeps the topics of finished batches for a second."""
    projector = make_projector(HEADWAY_PROJECTOR_TOPIC_KEPT_S="1")
    projector.run()
    return projector


@pytest.fixture
async def dropped(tidy: Program, topics: Topics, tables: Tables, batch_id: int) -> int:
    """A finished batch whose topic was deleted and whose log was dropped."""
    await finish(topics, tables, batch_id)
    await archived(tables, batch_id)
    week = await tables.connection.fetchval("SELECT logWeek FROM batch WHERE batchId = $1", batch_id)
    await tables.connection.execute("SELECT dropLogWeek($1)", week)
    await tables.connection.execute("UPDATE batch SET logDroppedAt = now()")
    return batch_id


async def finish(topics: Topics, tables: Tables, batch_id: int) -> None:
    topic = topics.create(batch_id)
    topics.announce(batch_id)
    topics.write(topic, [b"no event"])
    topics.write(topic, [b'{"eventType":"stage_start","batchId":%d,"stage":"denoise",\n"totalFiles":7}\n' % batch_id])
    topics.write_events(list(batch_events(batch_id, 3000, failed=10))[1:])


async def archived(tables: Tables, batch_id: int) -> None:
    await eventually(lambda: tables.overview(batch_id), lambda found: found.get("archivedat") is not None)


async def body(client: aiohttp.ClientSession, path: str) -> bytes:
    async with client.get(path) as response:
        assert response.status == 200
        return await response.read()


async def problem(client: aiohttp.ClientSession, path: str) -> dict[str, Any]:
    async with client.get(path) as response:
        assert response.status == 410, await response.text()
        assert response.content_type == "application/problem+json"
        found: dict[str, Any] = json.loads(await response.text())
        return found


async def test_a_batch_replays_byte_for_byte_the_same_after_its_topic_was_deleted(
    client: aiohttp.ClientSession, tidy: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    await finish(topics, tables, batch_id)
    topic = topics.names.of_batch(batch_id)
    paths = [f"/api/stream?batchId={batch_id}{query}" for query in ("", "&lastEventId=1500", "&format=envelope")]
    before = [await body(client, path) for path in paths]
    assert before[0].count(b"\nid: ") == 3003
    await archived(tables, batch_id)
    await eventually(lambda: topics.exists(topic), lambda there: not there)
    assert [await body(client, path) for path in paths] == before
    async with client.get(paths[0], headers={"Last-Event-ID": "3003"}) as response:
        assert response.status == 204


async def test_what_a_dropped_log_had_is_answered_with_gone_and_the_counts_stay(
    client: aiohttp.ClientSession, dropped: int
) -> None:
    for query in ("", "&from=5", "&from=2026-01-01T00:00:00Z", "&lastEventId=7", "&lastEventId=99999"):
        found = await problem(client, f"/api/stream?batchId={dropped}{query}")
        assert (found["type"], found["batchId"]) == ("/problems/LogDropped", dropped)
        assert f"/api/batches/{dropped}" in found["detail"]
    assert (await problem(client, f"/api/batches/{dropped}/events"))["type"] == "/problems/LogDropped"
    batch = json.loads(await body(client, f"/api/batches/{dropped}"))
    assert (batch["stages"][0]["processed"], batch["stages"][0]["errors"]) == (2990, 10)
    assert batch["logDroppedAt"] is not None
    assert batch["archivedAt"] is not None


async def test_a_snapshot_of_a_batch_whose_log_was_dropped_is_whole_and_the_end_of_its_stream(
    client: aiohttp.ClientSession, dropped: int
) -> None:
    (snapshot,) = await read(client, dropped, {"from": "snapshot"})
    assert snapshot.json()["stages"][0]["processed"] == 2990
    assert await read(client, dropped, {"from": "latest"}) == []
    async with client.get(f"/api/stream?batchId={dropped}", headers={"Last-Event-ID": snapshot.id}) as response:
        assert response.status == 204


async def test_a_problem_is_in_the_batchs_answer_and_in_the_list(
    client: aiohttp.ClientSession, tidy: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    await finish(topics, tables, batch_id)
    await archived(tables, batch_id)
    assert json.loads(await body(client, f"/api/batches/{batch_id}"))["problem"] is None
    topics.create(batch_id)  # a late producer
    await eventually(lambda: tables.overview(batch_id), lambda found: found["problem"] is not None)
    batch = json.loads(await body(client, f"/api/batches/{batch_id}"))
    assert f"headway-projector rebuild {batch_id} --from-topic" in batch["problem"]
    (listed,) = json.loads(await body(client, "/api/batches"))["batches"]
    assert listed["problem"] == batch["problem"]
