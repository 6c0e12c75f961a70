"""Whenever a janitor is killed, each finished batch ends without a topic and with all of its log."""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import Callable

from headway_events import BatchComplete

from support.batches import batch_events
from support.eventually import eventually
from support.programs import Program
from support.tables import Tables
from support.topics import Topics

KEPT = {"HEADWAY_PROJECTOR_TOPIC_KEPT_S": "1"}


async def finished(topics: Topics, tables: Tables, batch_ids: range) -> dict[int, str]:
    """Finished batches, projected; their topics."""
    batches = {one: topics.create(one) for one in batch_ids}
    for one in batches:
        topics.announce(one)
        topics.write_events(batch_events(one, 3))
    for one in batches:
        await tables.wait_for(one, 6)
    return batches


async def test_janitors_killed_at_random_moments_lose_nothing_and_leave_nothing_behind(
    make_projector: Callable[..., Program], topics: Topics, tables: Tables, batch_id: int
) -> None:
    chance = random.Random(batch_id)
    projector = make_projector()
    projector.run()
    batches = await finished(topics, tables, range(batch_id, batch_id + 40))
    before = {one: await tables.of_batch(one) for one in batches}
    projector.kill()
    for number in range(6):
        # Of a group of its own, so that it need not wait until the one before is taken for dead.
        tidy = make_projector(**KEPT, HEADWAY_PROJECTOR_APP_ID=f"projector-{batch_id}-{number}")
        await asyncio.to_thread(tidy.run)
        if number < 5:
            await eventually(tidy.log_text, lambda text: "action='batch_archived'" in text)
            await asyncio.sleep(chance.uniform(0, 0.2))
            tidy.kill()
    for one, topic in batches.items():
        await eventually(functools.partial(topics.exists, topic), lambda found: not found)
        assert (await tables.overview(one))["archivedat"] is not None
        assert await tables.of_batch(one) == before[one]


async def test_a_topic_that_a_killed_janitor_noted_and_did_not_delete_is_deleted_by_the_next(
    make_projector: Callable[..., Program], topics: Topics, tables: Tables, batch_id: int
) -> None:
    projector = make_projector()
    projector.run()
    batches = await finished(topics, tables, range(batch_id, batch_id + 2))
    projector.kill()
    await tables.connection.execute("UPDATE batch SET archivedAt = now()")  # what the killed one has left
    late = batch_id + 1
    topics.write_events([BatchComplete(batch_id=late)])
    make_projector(**KEPT, HEADWAY_PROJECTOR_APP_ID=f"projector-{batch_id}").run()
    for topic in batches.values():
        await eventually(functools.partial(topics.exists, topic), lambda found: not found)
    assert await tables.next_offset(batch_id) == 6
    assert await tables.next_offset(late) == 7  # the late event was projected before its topic went
