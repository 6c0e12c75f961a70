"""What a stream takes from the tables: a snapshot to begin with, and the log of a topic that is gone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import aiohttp
from headway_events import BatchState, Event, FileComplete, WorkerHeartbeat, decode, fold_batch, resume

from support.api import get
from support.batches import batch_events
from support.counts import counts
from support.programs import Program
from support.projected import projected
from support.stream import ids, read
from support.tables import Tables
from support.topics import Topics

BEFORE: Final = datetime(2026, 11, 24, 10, tzinfo=UTC)


async def test_a_snapshot_and_what_follows_it_give_the_counts_of_the_whole(
    client: aiohttp.ClientSession, projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    topics.create(batch_id)
    topics.announce(batch_id)
    events: list[Event] = list(batch_events(batch_id, 100, failed=10))
    topics.write_events(events[:60])

    await tables.wait_for(batch_id, 60)
    topics.write_events(events[60:])
    snapshot, *found = await read(client, batch_id, {"from": "snapshot"})
    assert snapshot.event == "snapshot"
    assert int(snapshot.id) == snapshot.json()["offset"] - 1
    assert ids(found) == list(range(snapshot.json()["offset"], len(events)))
    batch = resume(snapshot.json())
    for message in found:
        batch = fold_batch(batch, decode(message.data.encode(), batch_id=batch_id))
    whole = BatchState()
    for event in events:
        whole = fold_batch(whole, event)
    assert _totals(batch) == _totals(whole)


async def test_who_comes_late_and_a_projector_that_takes_over_know_the_workers_that_were_heard_before(
    client: aiohttp.ClientSession,
    make_projector: Callable[..., Program],
    topics: Topics,
    tables: Tables,
    batch_id: int,
) -> None:
    def heartbeat(worker: str, *files: str) -> Event:
        return WorkerHeartbeat(
            batch_id=batch_id, stage="denoise", timestamp=BEFORE, worker=worker, files_in_flight=list(files)
        )

    async def in_flight() -> dict[str, list[str]]:
        (stage,) = (await get(client, f"/api/batches/{batch_id}"))["stages"]
        assert all(worker["silent"] for worker in stage["workers"])
        return {worker["worker"]: worker["filesInFlight"] for worker in stage["workers"]}

    first = make_projector()
    first.run()
    await projected(topics, tables, batch_id, [heartbeat("one", "b.wav", "a.wav"), heartbeat("two", "c.wav", "音.wav")])
    assert await in_flight() == {"one": ["b.wav", "a.wav"], "two": ["c.wav", "音.wav"]}
    (message,) = await read(client, batch_id, {"from": "snapshot"}, most=1)
    state = resume(message.json()).current("denoise")
    assert {name: list(worker.files) for name, worker in state.workers.items()} == await in_flight()
    first.stop()
    make_projector().run()
    topics.write_events([FileComplete(batch_id=batch_id, stage="denoise", file_name="b.wav"), heartbeat("two")])
    await tables.wait_for(batch_id, 4)
    assert await in_flight() == {"one": ["a.wav"]}


async def test_a_snapshot_taken_while_events_arrive_is_never_ahead_of_its_stream(
    client: aiohttp.ClientSession, projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    topics.create(batch_id)
    topics.announce(batch_id)
    events = list(batch_events(batch_id, 6000))

    async def write() -> None:
        for begin in range(0, len(events), 40):
            await asyncio.to_thread(topics.write_events, events[begin : begin + 40])
            await asyncio.sleep(0.02)

    writing = asyncio.create_task(write())
    followed = 0
    while not writing.done():
        # A snapshot of the whole batch is the last message: nothing follows it.
        snapshot, *following = await read(client, batch_id, {"from": "snapshot"}, most=2)
        assert snapshot.event == "snapshot"
        assert [int(message.id) for message in following] == [snapshot.json()["offset"]] * len(following)
        followed += len(following)
    await writing
    assert followed > 0


def _totals(batch: BatchState) -> Any:
    document = counts(batch)
    for _, runs in document["stages"]:
        for run in runs:
            del run["outcomes"]
    return document


async def test_a_topic_that_is_gone_replays_from_the_log_with_the_same_ids_and_bytes(
    client: aiohttp.ClientSession, projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    topic = topics.create(batch_id)
    topics.announce(batch_id)
    topics.write_events(batch_events(batch_id, 3000, failed=10))
    live = await read(client, batch_id)

    await tables.wait_for(batch_id, len(live))
    topics.delete(topic)
    await asyncio.sleep(1)
    assert await read(client, batch_id) == live
    assert await read(client, batch_id, headers={"Last-Event-ID": "2500"}) == live[2501:]


async def test_streams_do_not_need_postgresql_and_a_snapshot_says_that_it_does(
    client: aiohttp.ClientSession, topics: Topics, batch_id: int
) -> None:
    topics.create(batch_id)
    topics.write_events(batch_events(batch_id, 3))
    assert len(await read(client, batch_id)) == 6
    async with client.get(f"/api/stream?batchId={batch_id}&from=snapshot") as response:
        assert response.status == 503
        assert "from=earliest" in json.loads(await response.text())["detail"] or "PostgreSQL" in await response.text()
