"""Projectors killed and restarted under load: another one takes over, and every event counts once."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

import pytest

from support.batches import batch_events
from support.eventually import eventually
from support.load import Load
from support.programs import Program, all_have_projected
from support.size import full_or
from support.tables import Tables
from support.topics import Topics

KILLS = full_or(30, 9)
EVENTS = full_or(200_000, 60_000)
RESTARTS = full_or(2, 1)  # of each
LONGEST_PAUSE_S = 1.0  # between two kills
TAKEOVER_S = 15.0


@pytest.mark.timeout(300)
async def test_projectors_killed_again_and_again_at_random_moments_project_every_event_once(
    projectors: list[Program], topics: Topics, tables: Tables, batch_id: int
) -> None:
    chance = random.Random(batch_id)
    load = Load(topics, batch_id, batches=50, events=EVENTS)
    kills = 0
    async with load.in_background():
        while kills < KILLS:
            load.allow((kills + len(projectors)) / (KILLS + len(projectors)))
            await all_have_projected(projectors)
            for victim in chance.sample(projectors, len(projectors)):
                await asyncio.sleep(chance.uniform(0, LONGEST_PAUSE_S))
                victim.kill()
                victim.start()
                kills += 1
                load.allow((kills + len(projectors)) / (KILLS + len(projectors)))
    assert await tables.differences(topics, load.batch_ids) == []


@pytest.mark.timeout(300)
async def test_projectors_restarted_in_turn_project_every_event_once(
    projectors: list[Program], topics: Topics, tables: Tables, batch_id: int
) -> None:
    load = Load(topics, batch_id, batches=50, events=EVENTS)
    restarts = projectors * RESTARTS
    async with load.in_background():
        for number, one in enumerate(restarts, start=1):
            load.allow(number / len(restarts))
            await all_have_projected(projectors)
            await asyncio.to_thread(one.stop)
            await asyncio.to_thread(one.run)
    assert await tables.differences(topics, load.batch_ids) == []
    assert not any("stop_timeout" in one.log_text() for one in projectors)


async def test_the_batches_of_a_killed_projector_are_anothers_within_15_seconds(
    make_projector: Callable[..., Program], topics: Topics, tables: Tables, batch_id: int
) -> None:
    def reading() -> list[Program]:
        return [one for one in (first, second) if one.metric("headway_projector_batches")]

    first, second = make_projector(), make_projector()
    first.run()
    second.run()
    topics.create(batch_id)
    topics.announce(batch_id)
    topics.write_events(batch_events(batch_id, 3))
    await tables.wait_for(batch_id, 6)
    (owner,) = await eventually(reading, lambda found: len(found) == 1)
    owner.kill()
    begin = time.monotonic()
    topics.write_events(batch_events(batch_id, 3))
    await tables.wait_for(batch_id, 12)
    assert time.monotonic() - begin < TAKEOVER_S
