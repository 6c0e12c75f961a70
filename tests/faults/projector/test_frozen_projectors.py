"""Projectors frozen in the middle of a transaction: others take over, and who wakes up is refused."""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager

import pytest

from support.eventually import eventually
from support.load import Load
from support.programs import Program, all_have_projected
from support.tables import Tables
from support.topics import Topics

SETTLED_S = 0.1  # after which PostgreSQL has dealt with what the frozen projector had sent
ATTEMPTS = 200  # some one in four freezes meets a transaction; a COPY, which is one message, hardly ever
FENCED = "headway_projector_fenced_total"

# Only a poll's transaction locks rows of batch by SELECT ... FOR UPDATE; what it has is not projected yet.
HOLDS_A_POLL = """
    SELECT true FROM pg_stat_activity AS session JOIN pg_locks USING (pid)
    WHERE client_port = ANY($1) AND session.wait_event = 'ClientRead' AND session.state = ANY($2)
      AND relation = 'batch'::regclass AND mode = 'RowShareLock'
"""
BETWEEN_STATEMENTS = "idle in transaction"  # as PostgreSQL calls it
WITHIN_COPY = "active"


@asynccontextmanager
async def frozen(projector: Program, tables: Tables, states: Collection[str]) -> AsyncIterator[None]:
    """Stop a projector under load while PostgreSQL waits for the rest of its transaction, until the body ends."""
    process = projector.process()
    assert process is not None
    for _ in range(ATTEMPTS):
        process.suspend()
        await asyncio.sleep(SETTLED_S)
        ports = [connection.laddr.port for connection in process.net_connections("tcp") if connection.raddr]
        if await tables.connection.fetchval(HOLDS_A_POLL, ports, list(states)):
            yield
            process.resume()
            return
        process.resume()
        await asyncio.sleep(random.uniform(0, 0.1))
    raise AssertionError(f"No freeze in {ATTEMPTS} met a transaction that was {states}")


async def test_a_frozen_projector_holds_its_batches_up_no_longer_than_a_dead_one_and_is_refused_when_it_wakes(
    make_projector: Callable[..., Program], topics: Topics, tables: Tables, batch_id: int
) -> None:
    first, second = make_projector(), make_projector()
    first.run()
    load = Load(topics, batch_id, batches=3, events=100_000)
    async with load.in_background():
        load.allow(1)
        async with frozen(first, tables, {BETWEEN_STATEMENTS, WITHIN_COPY}):
            await asyncio.to_thread(second.run)
            await tables.wait_for_all(load.batch_ids, await load.written_so_far_as_allowed())
        await eventually(functools.partial(first.metric, FENCED), lambda batches: batches > 0)
    assert await tables.differences(topics, load.batch_ids) == []
    await eventually(first.healthy, lambda wrong: wrong is None)


@pytest.mark.timeout(300)
async def test_projectors_frozen_for_longer_than_their_session_are_refused_and_every_event_counts_once(
    projectors: list[Program], topics: Topics, tables: Tables, batch_id: int
) -> None:
    chance = random.Random(batch_id)
    load = Load(topics, batch_id, batches=50, events=200_000)
    async with load.in_background():
        for number, victim in enumerate(chance.sample(projectors, 2), start=1):
            load.allow(number / 3)
            await all_have_projected(projectors)
            async with frozen(victim, tables, {BETWEEN_STATEMENTS, WITHIN_COPY}):
                await tables.wait_for_all(load.batch_ids, await load.written_so_far_as_allowed())
            await eventually(functools.partial(victim.metric, FENCED), lambda batches: batches > 0)
    assert await tables.differences(topics, load.batch_ids) == []
