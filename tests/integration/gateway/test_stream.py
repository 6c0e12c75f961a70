"""The stream of a batch is its topic: every event, once, in order, wherever and whenever a client begins."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from confluent_kafka import TopicPartition
from headway_events import BatchComplete, StageStart, decode

from support.batches import batch_events
from support.programs import Program
from support.sse import Message
from support.stream import ids, read
from support.topics import Topics


async def test_a_message_has_the_offset_the_type_and_the_record_with_the_files_status(
    client: aiohttp.ClientSession, topics: Topics, batch_id: int
) -> None:
    topic = topics.create(batch_id)
    topics.write_events(batch_events(batch_id, 2, failed=1))
    found = await read(client, batch_id)
    records = topics.read(topic, at_least=5)
    assert ids(found) == [0, 1, 2, 3, 4]
    assert [message.event for message in found] == [
        "stage_start", "file_complete", "file_error", "stage_complete", "batch_complete",
    ]  # fmt: skip
    values = [(record.value or b"").decode() for record in records]
    values[1] = values[1][:-1] + ',"status":"success"}'
    values[2] = values[2][:-1] + ',"status":"error"}'
    assert [message.data for message in found] == values


async def test_an_enveloped_stream_has_unnamed_messages_with_event_and_data(
    client: aiohttp.ClientSession, topics: Topics, batch_id: int
) -> None:
    topics.create(batch_id)
    topics.write_events(batch_events(batch_id, 1))
    plain = await read(client, batch_id)
    enveloped = await read(client, batch_id, {"format": "envelope"})
    assert {message.event for message in enveloped} == {"message"}
    assert [message.json() for message in enveloped] == [
        {"event": message.event, "data": message.json()} for message in plain
    ]
    assert ids(enveloped) == ids(plain)


async def test_clients_that_join_drop_and_resume_at_random_see_the_whole_topic_once_in_order(
    client: aiohttp.ClientSession, topics: Topics, batch_id: int
) -> None:
    topic = topics.create(batch_id)
    events = list(batch_events(batch_id, 20_000, failed=100))
    chance = random.Random(batch_id)

    async def write() -> None:
        rest = iter(events)
        while some := list(itertools.islice(rest, chance.randint(1, 600))):
            await asyncio.to_thread(topics.write_events, some)
            await asyncio.sleep(chance.random() * 0.03)

    async def follow(number: int) -> list[Message]:
        await asyncio.sleep(chance.random() * 2)
        found: list[Message] = []
        while not found or found[-1].event != "batch_complete":
            headers = {"Last-Event-ID": found[-1].id} if found else None
            most = None if number % 2 else chance.randint(1, 6000)
            found += await read(client, batch_id, most=most, headers=headers)
        return found

    writing = asyncio.create_task(write())
    streams = await asyncio.gather(*(follow(number) for number in range(12)))
    await writing
    records = await asyncio.to_thread(topics.read, topic, at_least=len(events))
    assert len(records) == len(events)
    expected = [decode(record.value, batch_id=batch_id) for record in records]
    for found in streams:
        assert ids(found) == [record.offset for record in records]
        assert [decode(message.data.encode(), batch_id=batch_id) for message in found] == expected


async def test_more_than_the_cache_holds_is_read_again_and_right(
    make_gateway: Callable[..., Program], topics: Topics, batch_id: int
) -> None:
    gateway = make_gateway(HEADWAY_GATEWAY_CACHE_BYTES="300000")
    gateway.run()
    topics.create(batch_id)
    topics.write_events(batch_events(batch_id, 20_000))
    async with aiohttp.ClientSession(gateway.url) as client:
        streams = await asyncio.gather(
            *(read(client, batch_id) for _ in range(3)), read(client, batch_id, {"from": "777"})
        )
    assert [ids(found) for found in streams[:3]] == [list(range(20_003))] * 3
    assert ids(streams[3]) == list(range(777, 20_003))


@pytest.mark.parametrize(
    ("query", "headers", "first"),
    [
        ({}, {}, 0),
        ({"from": "earliest"}, {}, 0),
        ({"from": "7"}, {}, 7),
        ({"lastEventId": "7"}, {}, 8),
        ({"from": "3"}, {"Last-Event-ID": "7"}, 8),
        ({"lastEventId": "3", "from": "5"}, {}, 4),
        ({"lastEventId": "-1"}, {}, 0),
    ],
)
async def test_a_stream_begins_where_the_request_says(
    client: aiohttp.ClientSession,
    topics: Topics,
    batch_id: int,
    query: dict[str, str],
    headers: dict[str, str],
    first: int,
) -> None:
    topics.create(batch_id)
    topics.write_events(batch_events(batch_id, 10))
    assert ids(await read(client, batch_id, query, headers=headers)) == list(range(first, 13))


async def test_latest_begins_with_the_next_event(client: aiohttp.ClientSession, topics: Topics, batch_id: int) -> None:
    topics.create(batch_id)
    *most, last = batch_events(batch_id, 10)
    topics.write_events(most)
    reading = asyncio.create_task(read(client, batch_id, {"from": "latest"}))
    await asyncio.sleep(1)
    topics.write_events([last])
    assert ids(await reading) == [12]


async def test_a_timestamp_begins_with_the_first_record_of_that_time(
    client: aiohttp.ClientSession, topics: Topics, batch_id: int
) -> None:
    topic = topics.create(batch_id)
    events = list(batch_events(batch_id, 4))
    topics.write_events(events[:3])
    await asyncio.sleep(0.05)
    topics.write_events(events[3:])
    since = topics.read(topic, at_least=7)[3].timestamp_ms
    found = await read(client, batch_id, {"from": f"{_iso(since)}"})
    assert ids(found) == [3, 4, 5, 6]


def _iso(milliseconds: int) -> str:
    return (datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)).isoformat().replace("+00:00", "Z")


async def test_a_finished_batch_ends_its_stream_and_answers_204_to_a_client_that_has_it_all(
    client: aiohttp.ClientSession, topics: Topics, batch_id: int
) -> None:
    topics.create(batch_id)
    topics.write_events(batch_events(batch_id, 3))
    found = await read(client, batch_id)
    assert found[-1].event == "batch_complete"
    resumed = {"Last-Event-ID": found[-1].id}
    async with client.get("/api/stream", params={"batchId": str(batch_id)}, headers=resumed) as response:
        assert response.status == 204


async def test_a_batch_that_starts_again_is_live_again(
    client: aiohttp.ClientSession, topics: Topics, batch_id: int
) -> None:
    topics.create(batch_id)
    topics.write_events(batch_events(batch_id, 3))
    topics.write_events([StageStart(batch_id=batch_id, stage="denoise", total_files=3)])
    reading = asyncio.create_task(read(client, batch_id))
    await asyncio.sleep(0.5)
    assert not reading.done()
    topics.write_events([BatchComplete(batch_id=batch_id)])
    assert ids(await reading) == list(range(8))


async def test_filters_choose_stages_and_types_and_keep_the_ids(
    client: aiohttp.ClientSession, topics: Topics, batch_id: int
) -> None:
    topics.create(batch_id)
    topics.write_events(e for e in batch_events(batch_id, 2) if not isinstance(e, BatchComplete))
    topics.write_events(batch_events(batch_id, 2, failed=1, stage="encode"))
    found = await read(client, batch_id, {"stage": "encode", "eventType": "file_complete"})
    assert [(message.event, message.json()["stage"], int(message.id)) for message in found] == [
        ("file_complete", "encode", 5)
    ]


async def test_records_that_are_no_events_are_left_out_and_their_offsets_with_them(
    client: aiohttp.ClientSession, topics: Topics, batch_id: int
) -> None:
    topic = topics.create(batch_id)
    start, *rest = batch_events(batch_id, 1)
    topics.write_events([start])
    topics.write(topic, [b"not json", None, b'{"eventType":"batch_complete","batchId":1}', b"\xff\xfe"])
    topics.write_events(rest)
    assert ids(await read(client, batch_id)) == [0, 5, 6, 7]


async def test_an_id_from_the_future_resets_the_stream_and_says_so(
    client: aiohttp.ClientSession, topics: Topics, batch_id: int
) -> None:
    topics.create(batch_id)
    topics.write_events(batch_events(batch_id, 1))
    reset, *found = await read(client, batch_id, headers={"Last-Event-ID": "999"})
    assert (reset.event, reset.id) == ("reset", "-1")
    assert reset.json()["requested"] == 999
    assert reset.json()["from"] == 0
    assert ids(found) == [0, 1, 2, 3]


async def test_offsets_that_have_expired_reset_the_stream_to_the_first_that_is_left(
    client: aiohttp.ClientSession, topics: Topics, batch_id: int
) -> None:
    topic = topics.create(batch_id)
    topics.write_events(batch_events(batch_id, 5))
    topics.admin.delete_records([TopicPartition(topic, 0, 3)])[TopicPartition(topic, 0, 3)].result(timeout=10)
    reset, *found = await read(client, batch_id, headers={"Last-Event-ID": "0"})
    assert reset.event == "reset"
    assert reset.json()["from"] == 3
    assert ids(found) == list(range(3, 8))
    assert ids(await read(client, batch_id)) == list(range(3, 8))


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"batchId": "1", "from": "-5"}, "from"),
        ({"batchId": "1", "from": "99999999999999999999"}, "from"),
        ({"batchId": "1", "from": "yesterday"}, "from"),
        ({"batchId": "1", "lastEventId": "x"}, "lastEventId"),
        ({"batchId": "1", "format": "xml"}, "format"),
        ({"batchId": "1", "eventType": "explosion"}, "eventType"),
        ({"batchId": "1e3"}, "batchId"),
        ({"batchId": "9223372036854775808"}, "batchId"),
        ({"batchId": ""}, "batchId"),
        ({"batchId": "1", "mode": "fast"}, "mode"),
        ({"batchId": "1", "mode": "progress", "from": "earliest"}, "from"),
        ({"batchId": "1", "mode": "progress", "eventType": "file_error"}, "eventType"),
        ({"batchId": "1", "mode": "progress", "rate": "0"}, "rate"),
        ({"batchId": "1", "mode": "progress", "rate": "nan"}, "rate"),
    ],
)
async def test_a_malformed_parameter_is_a_problem_that_names_it(
    client: aiohttp.ClientSession, query: dict[str, str], parameter: str
) -> None:
    async with client.get("/api/stream", params=query) as response:
        assert (response.status, response.content_type) == (400, "application/problem+json")
        document = json.loads(await response.text())
    assert document["parameter"] == parameter
    assert document["detail"].startswith(f"{parameter} is {query.get(parameter, '')!r}")


async def test_a_malformed_last_event_id_is_a_problem(client: aiohttp.ClientSession) -> None:
    async with client.get("/api/stream?batchId=1", headers={"Last-Event-ID": "12abc"}) as response:
        assert response.status == 400
        assert json.loads(await response.text())["parameter"] == "Last-Event-ID"
