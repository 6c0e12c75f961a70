"""The list of batches, filtered by label and state and in either order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import aiohttp
from headway_events import Announcement, BatchComplete, Event, FileError, StageStart, encode_announcement, registry_key

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
