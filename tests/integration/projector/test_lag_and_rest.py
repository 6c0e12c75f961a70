"""What is behind is seen in metrics, health and `status`; what is silent rests, and wakes when it is written again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import asyncpg

from support.batches import batch_events
from support.commands import headway_projector
from support.eventually import eventually
from support.programs import Program
from support.projected import projected
from support.tables import Tables, expected
from support.topics import Topics

READING, OWNED, LAG = "headway_projector_batches", "headway_projector_owned_batches", "headway_projector_lag_events"


async def test_a_silent_batch_rests_and_is_read_again_when_its_topic_grows(
    make_projector: Callable[..., Program], topics: Topics, tables: Tables, batch_id: int
) -> None:
    projector = make_projector(HEADWAY_PROJECTOR_REST_AFTER_S="1")
    projector.run()
    topic = topics.create(batch_id)
    topics.announce(batch_id)
    for expected_offset in (8, 16, 24):
        topics.write_events(batch_events(batch_id, 5))
        await tables.wait_for(batch_id, expected_offset, within_s=10)
        await eventually(lambda: projector.metric(READING), lambda reading: reading == 0, within_s=10)
    assert projector.metric(OWNED) == 1
    assert projector.metric(LAG) == 0
    assert await tables.of_batch(batch_id) == expected(batch_id, topics.read(topic, at_least=24))


async def test_a_batch_that_stands_still_is_named_by_health_metrics_and_status_until_it_goes_on(
    make_projector: Callable[..., Program],
    topics: Topics,
    tables: Tables,
    database_url: str,
    environment: dict[str, str],
    batch_id: int,
) -> None:
    projector = make_projector(HEADWAY_PROJECTOR_STUCK_AFTER_S="2")
    projector.run()
    await projected(topics, tables, batch_id, batch_events(batch_id, 5))
    other = await asyncpg.connect(database_url)
    async with other.transaction():  # a session that holds the batch's row, as a forgotten console does
        await other.execute("SELECT 1 FROM batch WHERE batchId = $1 FOR UPDATE", batch_id)
        topics.write_events(batch_events(batch_id, 95))
        wrong = await eventually(projector.healthy, lambda said: said is not None and "without progress" in said)
        assert str(batch_id) in (wrong or "")
        assert projector.metric(LAG) == 98
        assert projector.metric(f'headway_projector_batch_lag_events{{batch="{batch_id}"}}') == 98
        assert projector.metric("headway_projector_seconds_without_progress") > 2
        shown = await asyncio.to_thread(headway_projector, environment, "status")
        assert shown.returncode == 0, shown.stderr
        (line,) = [line for line in shown.stdout.splitlines() if line.startswith(str(batch_id))]
        assert line.split()[1:5] == ["closed", "8", "106", "98"]
    await eventually(projector.healthy, lambda said: said is None)
    await eventually(lambda: projector.metric(LAG), lambda lag: lag == 0)
    await other.close()


async def test_status_shows_who_projects_what_and_how_much_is_left(
    make_projector: Callable[..., Program],
    topics: Topics,
    tables: Tables,
    environment: dict[str, str],
    batch_id: int,
) -> None:
    for _ in range(2):
        make_projector().run()
    batches = [batch_id + number for number in range(21)]
    for one in batches:
        topics.create(one)
        topics.announce(one, name="night run")
    topics.write_events(batch_events(batch_id, 5))
    topics.write(topics.names.of_batch(batch_id), [b"no event"])
    await tables.wait_for(batch_id, 9)
    for one in batches:
        await tables.wait_for(one, 0)

    def status(*options: str) -> list[str]:
        shown = headway_projector(environment, "status", *options)
        assert shown.returncode == 0, shown.stderr
        return shown.stdout.splitlines()

    lines = await eventually(lambda: status("--all"), lambda found: found[0] == "2 projectors")
    shares = [line for line in lines if "of 64" in line]
    assert sum(int(line.partition(": ")[2].split()[0]) for line in shares) == 64
    assert sum(int(line.rpartition(", ")[2].split()[0]) for line in shares) == 21
    (line,) = [line for line in lines if line.startswith(str(batch_id))]
    assert line.split()[:8] == [str(batch_id), "night", "run", "closed", "9", "9", "0", "1"]
    assert lines[-1] == "21 batches, 0 behind, by 0 records"
    assert "... and 1 more (--all)" in status()


def test_status_without_kafka_says_so_and_names_the_setting(environment: dict[str, str], projector: Program) -> None:
    found = headway_projector({**environment, "HEADWAY_KAFKA_BOOTSTRAP": "127.0.0.1:1"}, "status")
    assert found.returncode == 1
    assert "HEADWAY_KAFKA_BOOTSTRAP" in found.stderr


def test_status_before_there_are_tables_names_the_remedy(environment: dict[str, str], database_url: str) -> None:
    found = headway_projector(environment, "status")
    assert found.returncode == 1
    assert "headway-projector migrate" in found.stderr
