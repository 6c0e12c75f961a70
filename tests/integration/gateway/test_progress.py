"""`mode=progress`: counts in place of events, whose last message of a stage is the final count, at a bounded rate."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import aiohttp
import pytest
from headway_events import (
    BatchState,
    Event,
    FileError,
    StageComplete,
    StageStart,
    WorkerHeartbeat,
    decode,
    fold_batch,
    percent,
)

from infra.local.stack import answers
from support.batches import batch_events
from support.eventually import eventually
from support.load import history
from support.programs import Program
from support.projected import projected
from support.sse import Message, messages
from support.stream import ids, read
from support.tables import Tables
from support.topics import Topics

PROGRESS = {"mode": "progress"}
COUNTS = ("run", "total", "processed", "errors", "attempts", "late", "status")


def last_of_each_stage(found: list[Message]) -> dict[str, dict[str, Any]]:
    return {message.json()["stage"]: message.json() for message in found if message.event == "progress"}


def folded(events: list[Event]) -> dict[str, dict[str, Any]]:
    """What a straight fold says of each stage."""
    batch = BatchState()
    for event in events:
        batch = fold_batch(batch, event)
    states = {stage: runs[-1] for stage, runs in batch.stages.items()}
    return {
        stage: {name: getattr(state, name) for name in COUNTS} | {"percent": percent(state)}
        for stage, state in states.items()
    }


def counts(message: Mapping[str, Any]) -> dict[str, Any]:
    """What the fold knows of a stage; that a stage is stalled depends on the clock."""
    found = {name: message[name] for name in (*COUNTS, "percent")}
    return found | ({"status": "processing"} if message["status"] == "stalled" else {})


async def test_the_last_message_of_each_stage_is_its_final_count_and_the_batch_ends_after_it(
    client: aiohttp.ClientSession, topics: Topics, batch_id: int
) -> None:
    topics.create(batch_id)
    events = [*list(batch_events(batch_id, 500, failed=5))[:-1], *batch_events(batch_id, 30, stage="transcribe")]
    topics.write_events(events[:200])
    reading = asyncio.create_task(read(client, batch_id, PROGRESS | {"rate": "20"}))
    for begin in range(200, len(events), 40):
        topics.write_events(events[begin : begin + 40])
        await asyncio.sleep(0.05)
    found = await reading
    last = last_of_each_stage(found)
    assert {stage: counts(message) for stage, message in last.items()} == folded(events)
    assert last["denoise"]["processed"] == 495
    assert found[-1].event == "batch_complete"
    assert [message.event for message in found[:-1]] == ["progress"] * (len(found) - 1)
    processed = [message.json()["processed"] for message in found[:-1] if message.json()["stage"] == "denoise"]
    assert processed == sorted(processed)


@pytest.mark.parametrize("seed", range(3))
async def test_progress_equals_a_fold_of_whatever_was_written_with_and_without_a_projector(
    make_gateway: Callable[..., Program], topics: Topics, tables: Tables, projector: Program, seed: int, batch_id: int
) -> None:
    events = list(islice(history(batch_id, 400, random.Random(seed)), 400))
    await projected(topics, tables, batch_id, events[: len(events) // 2])
    projector.stop()
    topics.write_events(events[len(events) // 2 :])
    records = topics.read(topics.names.of_batch(batch_id), at_least=len(events))
    wanted = folded([decode(r.value, batch_id=batch_id, recorded_ms=r.timestamp_ms) for r in records])
    with_tables, without = make_gateway(), make_gateway(HEADWAY_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    for gateway in (with_tables, without):
        gateway.start()
        await eventually(lambda: answers(f"{gateway.url}/readyz"), lambda wrong: wrong is None)  # noqa: B023
        async with aiohttp.ClientSession(gateway.url) as client:
            found = await _until_current(client, batch_id, len(records))
        assert {stage: counts(message) for stage, message in last_of_each_stage(found).items()} == wanted


async def _until_current(client: aiohttp.ClientSession, batch_id: int, end: int) -> list[Message]:
    found: list[Message] = []
    query = {"batchId": str(batch_id), "rate": "20", **PROGRESS}
    async with client.get("/api/stream", params=query) as response:
        async for message in messages(response):
            found.append(message)
            if message.id == str(end - 1):
                break
    return found


async def test_messages_come_no_faster_than_asked_however_many_events_there_are(
    client: aiohttp.ClientSession, topics: Topics, batch_id: int
) -> None:
    topics.create(batch_id)
    *events, closing = batch_events(batch_id, 2000)
    begin = time.monotonic()
    reading = asyncio.create_task(read(client, batch_id, PROGRESS | {"rate": "2"}))
    for at in range(0, len(events), 50):
        await asyncio.to_thread(topics.write_events, events[at : at + 50])
        await asyncio.sleep(0.02)
    topics.write_events([closing])
    found = await reading
    assert 2 <= len(found) <= 2 * (time.monotonic() - begin) + 3


async def test_only_the_stages_asked_for_are_sent_and_envelopes_hold_the_name(
    client: aiohttp.ClientSession, topics: Topics, batch_id: int
) -> None:
    topics.create(batch_id)
    topics.write_events([StageStart(batch_id=batch_id, stage="other"), *batch_events(batch_id, 3)])
    found = await read(client, batch_id, PROGRESS | {"stage": "denoise", "format": "envelope"})
    assert {message.event for message in found} == {"message"}
    assert [message.json()["event"] for message in found] == ["progress", "batch_complete"]
    assert found[0].json()["data"]["stage"] == "denoise"


async def test_who_has_the_last_counts_is_told_to_stop_and_who_was_cut_off_before_gets_them(
    client: aiohttp.ClientSession, topics: Topics, batch_id: int
) -> None:
    topics.create(batch_id)
    topics.write_events(batch_events(batch_id, 3))
    found = await read(client, batch_id, PROGRESS)
    assert ids(found[-1:]) == [5]
    assert [message.id for message in found[:-1]] == [""] * (len(found) - 1)
    query = {"batchId": str(batch_id), **PROGRESS}
    async with client.get("/api/stream", params=query, headers={"Last-Event-ID": "5"}) as response:
        assert response.status == 204
    again = await read(client, batch_id, PROGRESS, headers={"Last-Event-ID": "4"})
    assert last_of_each_stage(again) == last_of_each_stage(found)


async def test_a_stage_that_falls_silent_becomes_stalled(
    make_gateway: Callable[..., Program], topics: Topics, batch_id: int
) -> None:
    gateway = make_gateway(HEADWAY_STALLED_AFTER_S="1")
    gateway.run()
    topics.create(batch_id)
    topics.write_events([next(batch_events(batch_id, 3))])
    async with aiohttp.ClientSession(gateway.url) as client:
        found = await read(client, batch_id, PROGRESS, most=2)
    assert [message.json()["status"] for message in found] == ["processing", "stalled"]


async def test_that_a_worker_has_fallen_silent_is_told_though_nothing_happens(
    make_gateway: Callable[..., Program], topics: Topics, batch_id: int
) -> None:
    gateway = make_gateway(HEADWAY_WORKER_SILENT_AFTER_S="2")
    gateway.run()
    topics.create(batch_id)
    now = datetime.now(UTC)
    quiet = {f"w{number}": timedelta(seconds=0 if number == 11 else 30 - number) for number in range(12)}
    files = [str(number) for number in range(12)]
    topics.write_events(
        WorkerHeartbeat(
            batch_id=batch_id, stage="s", worker=name, timestamp=now - ago,
            files_in_flight=[f"{name}-{file}" for file in files],
        )
        for name, ago in quiet.items()
    )  # fmt: skip
    found = []
    query = {"batchId": str(batch_id), **PROGRESS}
    async with aiohttp.ClientSession(gateway.url) as client, client.get("/api/stream", params=query) as response:
        async for message in messages(response):
            found.append(message.json())
            if found[-1]["silent"] == len(quiet):
                break
    assert found[-2]["silent"] == len(quiet) - 1
    assert found[-1] | {"silent": 11} == found[-2]
    assert datetime.now(UTC) - now < timedelta(seconds=10)  # not at the next heartbeat of the stream, after 15 s
    named = found[-1]["silentWorkers"]
    assert [worker["worker"] for worker in named] == list(quiet)[:10]
    assert named[0]["filesInFlight"] == [f"w0-{file}" for file in files[:10]]


@pytest.mark.usefixtures("projector")
async def test_a_finished_batch_whose_topic_is_gone_shows_its_final_counts(
    client: aiohttp.ClientSession, topics: Topics, tables: Tables, batch_id: int
) -> None:
    topic = topics.create(batch_id)
    topics.announce(batch_id)
    topics.write_events(batch_events(batch_id, 20, failed=2))
    await tables.wait_for(batch_id, 23)
    topics.delete(topic)
    await eventually(lambda: topics.exists(topic), lambda exists: not exists)
    found = await read(client, batch_id, PROGRESS)
    assert [message.event for message in found] == ["progress", "batch_complete"]
    assert (found[0].json()["processed"], found[0].json()["errors"]) == (18, 2)


async def test_several_batches_have_one_stream_of_counts(
    client: aiohttp.ClientSession, topics: Topics, batch_id: int
) -> None:
    for number in (batch_id, batch_id + 1):
        topics.create(number)
        topics.write_events(
            [
                StageStart(batch_id=number, stage="s", total_files=1),
                FileError(batch_id=number, stage="s", file_name="a"),
                StageComplete(batch_id=number, stage="s", processed_files=0, failed_files=1),
            ]
        )
    query = [("batchId", str(batch_id)), ("batchId", str(batch_id + 1)), ("mode", "progress")]
    async with client.get("/api/stream", params=query) as response:
        assert response.status == 200, await response.text()
        found = []
        async for message in messages(response):
            found.append(message)
            if len(found) == 2:
                break
    assert [message.json()["batchId"] for message in found] == [batch_id, batch_id + 1]
    assert json.loads(found[1].data)["status"] == "complete_with_errors"
    assert found[1].id == f"{batch_id}:2,{batch_id + 1}:2"
