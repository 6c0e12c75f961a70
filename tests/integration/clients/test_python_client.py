"""The Python client on a real gateway: every event once, counts as the tables have them, whatever the network does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

import pytest
from headway_client import (
    BadRequest,
    BlockingClient,
    EventMessage,
    GatewayAway,
    HeadwayClient,
    NotFound,
    Reset,
    Snapshot,
)
from headway_events import BatchState, Event, Status

from infra.local.service import free_port
from support.batches import batch_events
from support.counts import fold_in_python
from support.eventually import eventually
from support.programs import Program
from support.projected import projected
from support.proxy import Proxy
from support.tables import Tables
from support.topics import Topics


def written(topics: Topics, batch_id: int, files: int, *, failed: int = 0) -> list[Event]:
    topics.create(batch_id)
    events = list(batch_events(batch_id, files, failed=failed))
    topics.write_events(events)
    return events


async def test_following_a_batch_gives_its_counts_after_every_message_until_it_is_finished(
    projector: Program, gateway: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    events = list(batch_events(batch_id, 100, failed=10))
    await projected(topics, tables, batch_id, events[:60])
    processed: list[int] = []
    async with HeadwayClient(gateway.url) as client:
        async for update in client.follow(batch_id):
            if isinstance(update.message, Snapshot):
                assert update.message.offset == 60
                await asyncio.to_thread(topics.write_events, events[60:])
            processed.append(update.batch.current("denoise").processed)
    assert processed == [59, *range(60, 91), *[90] * 12]
    stage = update.batch.current("denoise")
    assert (stage.processed, stage.errors, stage.status) == (90, 10, Status.COMPLETE_WITH_ERRORS)


async def test_waiting_ends_with_the_counts_that_a_fold_of_the_topic_gives(
    projector: Program, gateway: Program, topics: Topics, batch_id: int
) -> None:
    events = written(topics, batch_id, 2000, failed=7)
    async with HeadwayClient(gateway.url) as client:
        batch = await client.wait(batch_id)
    whole = fold_in_python(events)
    assert batch.closed
    assert _counts(batch) == _counts(whole)


async def test_cuts_in_the_middle_of_messages_lose_and_repeat_nothing(
    gateway: Program, topics: Topics, batch_id: int
) -> None:
    events = written(topics, batch_id, 3000)
    async with Proxy(gateway.port, cut_after=[50, 1000, 33_333, 200_000, 1]).serve() as proxy:
        async with HeadwayClient(proxy.url) as client:
            found = [message async for message in client.stream(batch_id)]
        assert proxy.cut == 5
    assert [message.event for message in found if isinstance(message, EventMessage)] == events
    assert [message.id for message in found] == [str(offset) for offset in range(len(events))]


async def test_a_gateway_that_is_killed_and_comes_back_is_followed_on(
    gateway: Program, topics: Topics, batch_id: int
) -> None:
    topics.create(batch_id)
    events = list(batch_events(batch_id, 50))
    topics.write_events(events[:20])
    found: list[str] = []
    async with HeadwayClient(gateway.url) as client, aclosing(client.stream(batch_id)) as stream:
        async for message in stream:
            found.append(message.id)
            if message.id == "19":
                await asyncio.to_thread(gateway.kill)
                topics.write_events(events[20:])
                await asyncio.to_thread(gateway.run)
    assert found == [str(offset) for offset in range(len(events))]


async def test_without_postgresql_the_counts_are_the_same(
    make_gateway: Callable[..., Program], topics: Topics, batch_id: int
) -> None:
    gateway = make_gateway(HEADWAY_DATABASE_URL="postgresql://headway@127.0.0.1:1/headway")
    gateway.start()
    await eventually(lambda: "started" in gateway.log_text(), bool)
    events = written(topics, batch_id, 100, failed=3)
    async with HeadwayClient(gateway.url) as client:
        assert _counts(await client.wait(batch_id)) == _counts(fold_in_python(events))


async def test_a_stream_begins_where_it_is_told_to_and_has_what_was_selected(
    gateway: Program, topics: Topics, batch_id: int
) -> None:
    written(topics, batch_id, 10, failed=2)

    async def ids(**arguments: object) -> list[int]:
        return [int(one.id) async for one in client.stream(batch_id, **arguments)]  # type: ignore[arg-type]

    async with HeadwayClient(gateway.url) as client:
        assert await ids(start=7) == list(range(7, 13))
        assert await ids(last_event_id="7") == list(range(8, 13))
        reset, *rest = [message async for message in client.stream(batch_id, last_event_id="999")]
        assert isinstance(reset, Reset)
        assert "No such offset" in reset.reason
        assert len(rest) == 13
        selected = client.stream(batch_id, event_types=["file_error"], stages=["denoise"])
        assert [int(one.id) async for one in selected] == [9, 10]


async def test_one_who_waits_for_what_comes_misses_nothing_while_the_gateway_is_away(
    gateway: Program, topics: Topics, batch_id: int
) -> None:
    topics.create(batch_id)
    events = list(batch_events(batch_id, 10))
    topics.write_events(events[:5])
    async with HeadwayClient(gateway.url) as client:

        async def follow() -> list[str]:
            return [message.id async for message in client.stream(batch_id, start="latest")]

        async def streams() -> int:
            return int((await client.get("/healthz"))["streams"])

        following = asyncio.create_task(follow())
        await eventually(streams, lambda number: number == 1)
        await asyncio.to_thread(gateway.kill)
        topics.write_events(events[5:])
        await asyncio.to_thread(gateway.run)
        assert await following == [str(offset) for offset in range(5, len(events))]


async def test_a_refusal_is_raised_with_what_the_gateway_says(
    projector: Program, gateway: Program, topics: Topics, batch_id: int
) -> None:
    async with HeadwayClient(gateway.url) as client:
        with pytest.raises(NotFound, match=f"There is no batch {batch_id}") as raised:
            await client.wait(batch_id)
        assert (raised.value.type, raised.value.members) == ("/problems/NoSuchBatch", {"batchId": batch_id})
        written(topics, batch_id, 1)
        with pytest.raises(BadRequest) as refused:
            await anext(client.stream(batch_id, start="yesterday"))
        assert refused.value.members["parameter"] == "from"


async def test_a_gateway_that_is_not_there_is_an_error_when_patience_ends(batch_id: int) -> None:
    async with HeadwayClient(f"http://127.0.0.1:{free_port()}", patience_s=0.5) as client:
        with pytest.raises(GatewayAway, match="Connect"):
            await client.wait(batch_id)
        with pytest.raises(GatewayAway, match="Connect"):
            await client.batch(batch_id)


async def test_batches_are_found_page_by_page_and_one_by_its_id(
    projector: Program, gateway: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    for number in range(60):
        topics.announce(batch_id + number, name=f"night {number}")
    topics.create(batch_id)
    topics.write_events(batch_events(batch_id, 20, failed=5))
    await tables.wait_for(batch_id, 23)
    async with HeadwayClient(gateway.url) as client:

        async def listed() -> list[int]:
            return [one.batch_id async for one in client.batches("night")]

        await eventually(listed, lambda found: len(found) >= 60)
        assert sorted(await listed()) == [batch_id + number for number in range(60)]
        one = await client.batch(batch_id)
        (stage,) = one.stages
        assert (one.name, one.status, one.closed) == ("night 0", Status.COMPLETE_WITH_ERRORS, True)
        assert (stage.processed, stage.errors, stage.total, stage.percent) == (15, 5, 20, 75)
        page = await client.get(f"/api/batches/{batch_id}/events", limit="2", order="desc")
        assert [event["offset"] for event in page["events"]] == [22, 21]


def _counts(batch: BatchState) -> dict[str, tuple[object, ...]]:
    """Outcomes aside, which a snapshot of a run that is over does not have."""
    return {
        stage: (state.total, state.processed, state.errors, state.attempts, state.late, state.status)
        for stage, (state,) in batch.stages.items()
    }


def test_the_blocking_client_reads_the_same(
    gateway: Program, topics: Topics, batch_id: int, projector: Program
) -> None:
    events = written(topics, batch_id, 300, failed=3)
    with BlockingClient(gateway.url) as client:
        found = list(client.stream(batch_id))
        assert [message.event for message in found if isinstance(message, EventMessage)] == events
        *_, last = client.follow(batch_id)
        assert _counts(last.batch) == _counts(client.wait(batch_id)) == _counts(fold_in_python(events))
        with pytest.raises(NotFound):
            client.batch(batch_id + 1)
        for message in client.stream(batch_id):
            if message.id == "3":
                break  # leaves nothing open: the client can be used on
        assert client.get("/readyz") == {"status": "ok"}


async def test_a_token_and_other_headers_are_sent_with_every_request(batch_id: int) -> None:
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/below/"
        async with HeadwayClient(url, token="secret", headers={"X-Team": "speech"}) as client:
            for call in (client.wait(batch_id), client.batch(batch_id)):
                with pytest.raises(Exception, match="401: Unauthorized"):
                    await call
    assert [one.split(b" ")[1].partition(b"?")[0] for one in asked] == [
        b"/below/api/stream", b"/below/api/batches/%d" % batch_id,
    ]  # fmt: skip
    for one in asked:
        assert b"Authorization: Bearer secret\r\n" in one
        assert b"X-Team: speech\r\n" in one
