"""The list of batches, filtered by label and state and in either order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from headway_events import (
    Announcement,
    BatchComplete,
    Event,
    FileComplete,
    FileError,
    StageStart,
    encode_announcement,
    registry_key,
)
from yarl import URL

from support.api import every, get
from support.eventually import eventually
from support.programs import Program
from support.tables import Tables
from support.topics import Topics

STATES = ["pending", "processing", "stalled", "complete", "complete_with_errors"]


def events_of(state: str, batch_id: int) -> list[Event]:
    """What brings a batch into a state."""
    if state == "pending":
        return []
    now = datetime.now(UTC) + (timedelta(days=-1) if state == "stalled" else timedelta(days=1))
    events: list[Event] = [StageStart(batch_id=batch_id, timestamp=now, stage="denoise")]
    if state == "complete_with_errors":
        events.append(FileError(batch_id=batch_id, timestamp=now, stage="denoise", file_name="a"))
    if state.startswith("complete"):
        events.append(BatchComplete(batch_id=batch_id, timestamp=now))
    return events


async def test_batches_are_found_by_state_and_labels_in_either_order(
    client: aiohttp.ClientSession, projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    batches = {batch_id + number: STATES[number % len(STATES)] for number in range(10)}
    for number, (one, state) in enumerate(batches.items()):
        announcement = Announcement(
            batch_id=one,
            topic=topics.names.of_batch(one),
            created_at=datetime(2026, 11, 1, tzinfo=UTC) + timedelta(hours=number),
            labels={"parity": str(number % 2), "of:team": "a'b%"},
        )
        topics.write(topics.names.registry, [encode_announcement(announcement)], record_key=registry_key(one))
        await tables.wait_for(one, 0)  # a topic found before its announcement would be created when it is found
        topics.create(one)
        topics.write_events(events_of(state, one))
    for one, state in batches.items():
        await tables.wait_for(one, len(events_of(state, one)))

    async def listed(query: str) -> list[int]:
        return [batch["batchId"] for batch in await every(client, f"/api/batches?limit=3&{query}", "batches")]

    all_known = await eventually(lambda: listed(""), lambda found: len(found) == len(batches))
    assert all_known == list(batches)[::-1]
    assert await listed("order=asc") == list(batches)
    for state in STATES:
        found = await get(client, f"/api/batches?status={state}")
        assert {batch["status"] for batch in found["batches"]} == {state}
        assert await listed(f"order=asc&status={state}") == [one for one in batches if batches[one] == state]
    assert await listed("status=stalled&status=pending") == [
        one for one in reversed(batches) if batches[one] in {"stalled", "pending"}
    ]
    assert await listed("label=parity:1&order=asc") == list(batches)[1::2]
    assert await listed("label=parity:1&status=complete&order=asc") == [
        one for one in list(batches)[1::2] if batches[one] == "complete"
    ]
    assert await listed("label=parity:1&label=parity:0") == []
    assert await listed("label=other:1") == []
    assert await listed("label=parity:") == []


def counted(batch_id: int, *, total: int | None, done: int, failed: int, at: datetime) -> list[Event]:
    """A batch with so many files done and failed, whose last event happened at this time."""
    events: list[Event] = [StageStart(batch_id=batch_id, timestamp=at, stage="denoise", total_files=total)]
    events += [
        FileComplete(batch_id=batch_id, timestamp=at, stage="denoise", file_name=f"{number}") for number in range(done)
    ]
    events += [
        FileError(batch_id=batch_id, timestamp=at, stage="denoise", file_name=f"bad{number}")
        for number in range(failed)
    ]
    return events


async def test_batches_are_ordered_by_progress_errors_and_last_event_and_paged_both_ways(
    client: aiohttp.ClientSession, projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    now = datetime.now(UTC)
    shapes = [(10, 1, 0), (10, 8, 1), (None, 5, 2), (100, 50, 0), (10, 0, 2), (4, 1, 1), (10, 9, 1)]
    batches = {batch_id + number: shape for number, shape in enumerate(shapes)}
    for number, (one, (total, done, failed)) in enumerate(batches.items()):
        topics.create(one)
        topics.announce(one)
        events = counted(one, total=total, done=done, failed=failed, at=now - timedelta(hours=(number * 3) % 7))
        topics.write_events(events)
        await tables.wait_for(one, len(events))

    def share(one: int) -> float:
        total, done, failed = batches[one]
        return -1 if total is None else (done + failed) / total

    ranks: dict[str, Callable[[int], float]] = {
        "progress": share,
        "errors": lambda one: float(batches[one][2]),
        "updated": lambda one: -float(((one - batch_id) * 3) % 7),
    }
    for sort, rank in ranks.items():
        for order, sign in (("desc", -1), ("asc", 1)):
            wanted = sorted(batches, key=lambda one: (sign * rank(one), sign * one))
            address = f"/api/batches?limit=3&sort={sort}&order={order}"
            assert [one["batchId"] for one in await every(client, address, "batches")] == wanted, address
            assert await backwards(client, address) == wanted, address
    assert await backwards(client, "/api/batches?limit=2") == list(batches)[::-1]
    failing = await every(client, "/api/batches?limit=2&failed=true&order=asc", "batches")
    assert [one["batchId"] for one in failing] == [one for one in batches if batches[one][2]]


async def backwards(client: aiohttp.ClientSession, address: str) -> list[int]:
    """The batches of all pages, from the last page by `previous` addresses to the first one."""
    page = await get(client, address)
    assert page["previous"] is None
    while page["next"] is not None:
        page = await get(client, URL(page["next"], encoded=True))
    found = [one["batchId"] for one in page["batches"]]
    while page["previous"] is not None:
        page = await get(client, URL(page["previous"], encoded=True))
        assert page["next"] is not None
        found = [one["batchId"] for one in page["batches"]] + found
    return found


async def test_a_page_that_has_not_changed_is_not_sent_again(
    client: aiohttp.ClientSession, projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    topics.create(batch_id)
    topics.announce(batch_id)
    topics.write_events(
        [StageStart(batch_id=batch_id, timestamp=datetime.now(UTC) + timedelta(days=1), stage="denoise")]
    )
    await tables.wait_for(batch_id, 1)
    async with client.get("/api/batches") as response:
        tag = response.headers["ETag"]
    async with client.get("/api/batches", headers={"If-None-Match": tag}) as response:
        assert (response.status, await response.read()) == (304, b"")
    topics.write_events([FileComplete(batch_id=batch_id, stage="denoise", file_name="a")])
    await tables.wait_for(batch_id, 2)
    async with client.get("/api/batches", headers={"If-None-Match": tag}) as response:
        assert response.status == 200


@pytest.mark.parametrize("query", ["sort=size", "before=zzz", "after=W10=", "failed=perhaps"], ids=lambda query: query)
async def test_what_the_list_cannot_be_asked_for_is_said(client: aiohttp.ClientSession, query: str) -> None:
    problem = await get(client, f"/api/batches?{query}", 400)
    assert problem["parameter"] == query.partition("=")[0]
