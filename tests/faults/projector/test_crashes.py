"""Whatever is killed, whenever: every event counts once."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Callable

import asyncpg

from infra.local.kafka import KafkaBroker
from infra.local.postgres import PostgresServer
from support.batches import batch_events
from support.eventually import eventually
from support.programs import Program
from support.tables import Tables, expected
from support.topics import Topics

TAKEOVER_S = 15.0


async def test_projectors_killed_at_random_moments_project_every_event_once(
    make_projector: Callable[..., Program], topics: Topics, tables: Tables, batch_id: int
) -> None:
    chance = random.Random(batch_id)
    projectors = [make_projector(HEADWAY_PROJECTOR_POLL_RECORDS="500") for _ in range(2)]
    for projector in projectors:
        projector.run()
    batches = [batch_id + number for number in range(6)]
    sizes = {one: chance.choice([50, 3000, 6000]) for one in batches}
    for one in batches:
        topics.create(one)
        topics.announce(one)

    async def write() -> None:
        pending = {one: list(batch_events(one, size, failed=size // 20)) for one, size in sizes.items()}
        while pending:
            one = chance.choice(list(pending))
            some, pending[one] = pending[one][:400], pending[one][400:]
            await asyncio.to_thread(topics.write_events, [*some, *some[-20:-1]])  # some of it twice
            if not pending[one]:
                del pending[one]

    writing = asyncio.create_task(write())
    for _ in range(4):
        await asyncio.sleep(chance.uniform(0.5, 2.5))
        victim = chance.choice(projectors)
        victim.kill()
        await asyncio.to_thread(victim.run)
    await writing
    for one in batches:
        records = await asyncio.to_thread(topics.read, topics.names.of_batch(one), at_least=1)
        await tables.wait_for(one, len(records))
        assert await tables.of_batch(one) == expected(one, records)


async def test_the_batches_of_a_killed_projector_are_anothers_within_15_seconds(
    make_projector: Callable[..., Program], topics: Topics, tables: Tables, batch_id: int
) -> None:
    first, second = make_projector(), make_projector()
    first.run()
    topics.create(batch_id)
    topics.announce(batch_id)
    topics.write_events(batch_events(batch_id, 3))
    await tables.wait_for(batch_id, 6)
    second.run()
    first.kill()
    begin = time.monotonic()
    topics.write_events(batch_events(batch_id, 3))
    await tables.wait_for(batch_id, 12)
    assert time.monotonic() - begin < TAKEOVER_S


async def test_a_projector_that_slept_through_its_replacement_is_fenced(
    make_projector: Callable[..., Program], topics: Topics, tables: Tables, batch_id: int
) -> None:
    first, second = make_projector(HEADWAY_PROJECTOR_POLL_RECORDS="200"), make_projector()
    first.run()
    topic = topics.create(batch_id)
    topics.announce(batch_id)
    topics.write_events(batch_events(batch_id, 100))
    await tables.wait_for(batch_id, 103)
    process = first.process()
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    topics.write_events(batch_events(batch_id, 5000))
    second.run()
    await tables.wait_for(batch_id, 103 + 5003)
    process.send_signal(signal.SIGCONT)
    topics.write_events(batch_events(batch_id, 1000))
    records = await asyncio.to_thread(topics.read, topic, at_least=103 + 5003 + 1003)
    await tables.wait_for(batch_id, len(records))
    await eventually(first.log_text, lambda text: "action='fenced'" in text or first.process() is None)
    assert await tables.of_batch(batch_id) == expected(batch_id, records)


async def test_postgresql_restarted_under_load_loses_and_doubles_nothing(
    own_postgres: PostgresServer, program: Callable[..., Program], topics: Topics, batch_id: int
) -> None:
    projector = program("headway-projector", "run", port_setting="HEADWAY_PROJECTOR_HEALTH_PORT")
    projector.run()
    topic = topics.create(batch_id)
    topics.announce(batch_id)
    events = list(batch_events(batch_id, 9000, failed=50))
    for number in range(3):
        await asyncio.to_thread(topics.write_events, events[number * 3000 : (number + 1) * 3000])
        own_postgres.kill()
        await eventually(projector.healthy, lambda wrong: "PostgreSQL" in (wrong or ""))
        await asyncio.to_thread(topics.write_events, events[number * 3000 : number * 3000 + 10])  # meanwhile, again
        own_postgres.start()
        await asyncio.to_thread(own_postgres.wait, 60)
    await asyncio.to_thread(topics.write_events, events[9000:])
    records = await asyncio.to_thread(topics.read, topic, at_least=9033)
    connection = await asyncpg.connect(own_postgres.database_url)
    tables = Tables(connection)
    await tables.wait_for(batch_id, len(records))
    assert await tables.of_batch(batch_id) == expected(batch_id, records)
    await eventually(projector.healthy, lambda wrong: wrong is None)
    await connection.close()


async def test_servers_that_are_away_at_the_start_are_waited_for_and_named(
    own_kafka: KafkaBroker, own_postgres: PostgresServer, program: Callable[..., Program], names: object, batch_id: int
) -> None:
    own_kafka.stop()
    own_postgres.stop()
    projector = program("headway-projector", "run", port_setting="HEADWAY_PROJECTOR_HEALTH_PORT")
    projector.start()
    await eventually(projector.healthy, lambda wrong: "PostgreSQL" in (wrong or ""))
    own_postgres.start()
    await eventually(projector.healthy, lambda wrong: "Kafka" in (wrong or ""))
    own_kafka.start()
    await eventually(projector.healthy, lambda wrong: wrong is None, within_s=60)
    assert "does not answer yet; trying again" in projector.log_text()


async def test_a_taken_health_port_ends_the_start_with_its_name(
    make_projector: Callable[..., Program], projector: Program
) -> None:
    second = make_projector()
    second.environment = {**second.environment, "HEADWAY_PROJECTOR_HEALTH_PORT": str(projector.port)}
    second.start()
    await eventually(second.log_text, lambda text: "HEADWAY_PROJECTOR_HEALTH_PORT" in text)
    await eventually(second.process, lambda process: process is None)
