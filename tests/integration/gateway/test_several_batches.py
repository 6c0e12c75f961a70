"""A stream of several batches: each in its order, and one id that resumes them all."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping

import aiohttp
import pytest
from headway_events import StageStart

from infra.local.stack import answers
from support.batches import batch_events
from support.eventually import eventually
from support.programs import Program
from support.projected import projected
from support.sse import Message, messages
from support.tables import Tables
from support.topics import Topics


@pytest.fixture
def batch_ids(batch_id: int) -> list[int]:
    return [batch_id, batch_id + 1, -batch_id]


@pytest.fixture
def written(topics: Topics, batch_ids: list[int]) -> dict[int, list[str]]:
    """Three finished batches of different sizes; the data of each one's messages."""
    for number, batch_id in enumerate(batch_ids):
        topics.create(batch_id)
        topics.write_events(batch_events(batch_id, 40 * number + 3))
    return {batch_id: [] for batch_id in batch_ids}


async def read(
    client: aiohttp.ClientSession,
    batch_ids: list[int],
    query: Mapping[str, str] | None = None,
    *,
    last: str | None = None,
    most: int | None = None,
) -> list[Message]:
    """The messages of one connection: all until it ends, or the first `most`."""
    parameters = [("batchId", str(batch_id)) for batch_id in batch_ids] + list((query or {}).items())
    headers = {} if last is None else {"Last-Event-ID": last}
    found: list[Message] = []
    async with client.get("/api/stream", params=parameters, headers=headers) as response:
        assert response.status == 200, await response.text()
        async for message in messages(response):
            found.append(message)
            if len(found) == most:
                break
    return found


def by_batch(found: list[Message]) -> dict[int, list[str]]:
    batches: dict[int, list[str]] = {}
    for message in found:
        batches.setdefault(message.json()["batchId"], []).append(message.data)
    return batches


def places(message: Message) -> dict[int, int]:
    return {int(batch): int(offset) for batch, offset in (part.split(":") for part in message.id.split(","))}


@pytest.mark.usefixtures("written")
async def test_several_batches_come_each_in_its_order_and_the_stream_ends_with_the_last(
    client: aiohttp.ClientSession, batch_ids: list[int]
) -> None:
    alone = {batch_id: [message.data for message in await read(client, [batch_id])] for batch_id in batch_ids}
    assert by_batch(await read(client, batch_ids)) == alone


@pytest.mark.usefixtures("written")
async def test_each_id_says_where_every_batch_stands(client: aiohttp.ClientSession, batch_ids: list[int]) -> None:
    seen = dict.fromkeys(batch_ids, -1)
    for message in await read(client, batch_ids):
        seen[message.json()["batchId"]] += 1
        assert places(message) == seen


@pytest.mark.usefixtures("written")
async def test_any_id_resumes_every_batch_without_gap_or_duplicate(
    client: aiohttp.ClientSession, batch_ids: list[int]
) -> None:
    whole = await read(client, batch_ids)
    for cut in random.sample(range(1, len(whole)), 5):
        rest = await read(client, batch_ids, last=whole[cut - 1].id)
        assert by_batch(whole[:cut] + rest) == by_batch(whole)


@pytest.mark.usefixtures("written")
async def test_who_has_all_of_them_is_told_to_stop(client: aiohttp.ClientSession, batch_ids: list[int]) -> None:
    whole = await read(client, batch_ids)
    parameters = [("batchId", str(batch_id)) for batch_id in batch_ids]
    async with client.get("/api/stream", params=parameters, headers={"Last-Event-ID": whole[-1].id}) as response:
        assert response.status == 204


@pytest.mark.usefixtures("written")
async def test_an_id_from_the_future_of_one_batch_resets_that_one_alone(
    client: aiohttp.ClientSession, batch_ids: list[int]
) -> None:
    ahead, other, third = batch_ids
    last = f"{ahead}:999,{other}:41,{third}:80"
    reset, *found = await read(client, batch_ids, last=last)
    assert reset.event == "reset"
    assert (reset.json()["batchId"], reset.json()["requested"], reset.json()["from"]) == (ahead, 999, 0)
    assert places(reset) == {ahead: -1, other: 41, third: 80}
    assert {batch: len(events) for batch, events in by_batch(found).items()} == {ahead: 6, other: 4, third: 5}


@pytest.mark.parametrize("last", ["5", "5:1", "x"])
async def test_an_id_of_another_stream_is_refused(client: aiohttp.ClientSession, batch_id: int, last: str) -> None:
    parameters = [("batchId", str(batch_id)), ("batchId", str(batch_id + 1)), ("lastEventId", last)]
    async with client.get("/api/stream", params=parameters) as response:
        assert response.status == 400
        assert json.loads(await response.text())["parameter"] == "lastEventId"


@pytest.mark.usefixtures("written", "projector")
async def test_a_batch_that_there_is_not_is_named(client: aiohttp.ClientSession, batch_ids: list[int]) -> None:
    parameters = [("batchId", str(batch_id)) for batch_id in [*batch_ids, 404]]
    async with client.get("/api/stream", params=parameters) as response:
        assert response.status == 404
        assert "404" in json.loads(await response.text())["detail"]


async def test_snapshots_of_several_batches_come_first_and_events_go_on_from_each(
    client: aiohttp.ClientSession, topics: Topics, projector: Program, tables: Tables, batch_ids: list[int]
) -> None:
    for batch_id in batch_ids:
        await projected(topics, tables, batch_id, list(batch_events(batch_id, 20))[:11])
    projector.stop()
    for batch_id in batch_ids:
        topics.write_events(list(batch_events(batch_id, 20))[11:])
    found = await read(client, batch_ids, {"from": "snapshot"})
    snapshots, rest = found[:3], found[3:]
    assert {message.event for message in snapshots} == {"snapshot"}
    assert [message.id for message in snapshots[:2]] == ["", ""]  # who has only these begins again
    assert places(snapshots[2]) == dict.fromkeys(batch_ids, 10)
    assert {message.json()["stages"][0]["processed"] for message in snapshots} == {10}
    assert {batch: len(events) for batch, events in by_batch(rest).items()} == dict.fromkeys(batch_ids, 12)


async def test_without_a_batch_the_stream_is_of_all_that_are_live_and_a_new_one_joins(
    client: aiohttp.ClientSession, topics: Topics, projector: Program, tables: Tables, batch_ids: list[int]
) -> None:
    finished, live, new = batch_ids
    for batch_id in (finished, live):
        await projected(topics, tables, batch_id, list(batch_events(batch_id, 5))[: 8 if batch_id == finished else 3])
    found: list[Message] = []
    async with client.get("/api/stream") as response:
        assert response.status == 200, await response.text()
        async for message in messages(response):
            found.append(message)
            if len(found) == 3:
                topics.create(new)
                topics.announce(new)
                topics.write_events([StageStart(batch_id=new, stage="s", total_files=1)])
            if len(found) == 4:
                break
    assert [message.json()["batchId"] for message in found] == [live, live, live, new]
    assert places(found[-1]) == {live: 2, new: 0}
    topics.write_events(list(batch_events(live, 5))[3:])
    await tables.wait_for(live, 8)  # is closed, and so not live any more
    topics.write_events([StageStart(batch_id=new, stage="t", total_files=1)])
    rest = await read(client, [], last=found[-1].id, most=6)
    assert sorted(message.json()["batchId"] for message in rest) == sorted([live] * 5 + [new])


async def test_the_live_batches_cannot_be_told_without_postgresql(
    make_gateway: Callable[..., Program], topics: Topics, batch_id: int
) -> None:
    gateway = make_gateway(HEADWAY_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    gateway.start()
    await eventually(lambda: answers(f"{gateway.url}/readyz"), lambda wrong: wrong is None)
    topics.create(batch_id)
    topics.create(batch_id + 1)
    topics.write_events([StageStart(batch_id=batch_id, stage="s"), StageStart(batch_id=batch_id + 1, stage="s")])
    async with aiohttp.ClientSession(gateway.url) as client:
        async with client.get("/api/stream") as response:
            assert response.status == 503
            assert response.headers["Retry-After"]
        assert len(await read(client, [batch_id, batch_id + 1], most=2)) == 2
