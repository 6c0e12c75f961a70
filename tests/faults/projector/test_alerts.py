"""Whoever is killed before, while or after a receiver is told something: it is told all the same, by the same id."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from infra.local.postgres import PostgresServer
from support.batches import batch_events
from support.eventually import eventually
from support.programs import Program
from support.receiver import Receiver, hanging, json_hook, ok, write_hooks
from support.size import full_or
from support.tables import Tables
from support.topics import Topics

BATCHES = full_or(300, 60)
KILLS = full_or(20, 6)
START_TIMEOUT_S = 60
UNDELIVERED = "SELECT count(*) FROM alert WHERE state <> 'delivered'"

Make = Callable[..., Program]


async def complete(topics: Topics, batch_id: int) -> None:
    """A small batch with an error, from its announcement to its end."""
    await asyncio.to_thread(topics.create, batch_id)
    await asyncio.to_thread(topics.announce, batch_id)
    await asyncio.to_thread(topics.write_events, batch_events(batch_id, 3, failed=1))


async def until_delivered(tables: Tables) -> None:
    await eventually(lambda: tables.connection.fetchval(UNDELIVERED), lambda left: left == 0, within_s=90)


async def test_an_alert_committed_by_a_projector_that_is_killed_before_it_sends_it_is_sent_by_the_next(
    make_projector: Make, topics: Topics, tables: Tables, tmp_path: Path, batch_id: int
) -> None:
    receiver = Receiver()
    projector = make_projector(**write_hooks(tmp_path, json_hook(receiver)))
    projector.run()
    await complete(topics, batch_id)
    await tables.wait_for(batch_id, 6)
    projector.kill()
    assert await tables.connection.fetchval(UNDELIVERED) == 2
    async with receiver.serve():
        projector.run()
        await until_delivered(tables)
    assert receiver.types() == [(batch_id, "batch.complete_with_errors"), (batch_id, "batch.first_error")]


async def test_an_alert_whose_sender_is_killed_before_it_knows_the_answer_is_sent_again_with_the_same_id(
    make_projector: Make, topics: Topics, tables: Tables, receiver: Receiver, tmp_path: Path, batch_id: int
) -> None:
    receiver.answer = hanging
    hook = json_hook(receiver, events=["batch.complete_with_errors"])
    projector = make_projector(**write_hooks(tmp_path, hook))
    projector.run()
    await complete(topics, batch_id)
    await receiver.wait_for(1)
    projector.kill()
    receiver.answer = ok
    other = make_projector(**write_hooks(tmp_path, hook))
    other.run()
    await until_delivered(tables)
    assert receiver.types() == [(batch_id, "batch.complete_with_errors")] * 2
    assert len({(one.id, one.body) for one in receiver.received}) == 1


@pytest.mark.timeout(300)
async def test_projectors_killed_at_random_moments_tell_everything_and_duplicates_by_the_same_id(
    make_projector: Make, topics: Topics, tables: Tables, receiver: Receiver, tmp_path: Path, batch_id: int
) -> None:
    chance = random.Random(batch_id)
    hooks = write_hooks(tmp_path, json_hook(receiver))
    projectors = [make_projector(**hooks) for _ in range(2)]
    for one in projectors:
        one.run()
    batches = [batch_id + number for number in range(BATCHES)]
    for number, batch in enumerate(batches):
        await complete(topics, batch)
        if number % (BATCHES // KILLS) == 0:
            await asyncio.sleep(chance.uniform(0, 1))
            victim = chance.choice(projectors)
            victim.kill()
            victim.start()
    expected = sorted((one, kind) for one in batches for kind in ("batch.complete_with_errors", "batch.first_error"))
    raised = "SELECT count(*) FROM alert"
    await eventually(lambda: tables.connection.fetchval(raised), lambda found: found == len(expected), within_s=90)
    await until_delivered(tables)
    assert sorted(set(receiver.types())) == expected
    assert len({one.id for one in receiver.received}) == len(expected)


@pytest.mark.timeout(300)
async def test_what_was_sent_before_postgresql_was_killed_is_never_raised_anew(
    own_postgres: PostgresServer,
    make_projector: Make,
    topics: Topics,
    receiver: Receiver,
    tmp_path: Path,
    batch_id: int,
) -> None:
    projector = make_projector(**write_hooks(tmp_path, json_hook(receiver)))
    projector.run()
    batches = [batch_id + number for number in range(KILLS)]
    for number, batch in enumerate(batches, start=1):
        await complete(topics, batch)
        await receiver.wait_for(2 * number - 1)  # a commit that does not wait for the disk would be taken back now
        own_postgres.kill()
        own_postgres.start()
        await asyncio.to_thread(own_postgres.wait, START_TIMEOUT_S)
    expected = sorted((one, kind) for one in batches for kind in ("batch.complete_with_errors", "batch.first_error"))
    await eventually(lambda: sorted(set(receiver.types())), lambda found: found == expected, within_s=90)
    connection = await asyncpg.connect(own_postgres.database_url)
    await until_delivered(Tables(connection))
    await connection.close()
    assert len({one.id for one in receiver.received}) == len(expected)
