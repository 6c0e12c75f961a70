"""The log and the file outcomes of old weeks are dropped in one step, when no batch of theirs needs them."""

from __future__ import annotations

import asyncio
import functools
import itertools
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from support.archive import archived, as_archived
from support.batches import batch_events
from support.commands import headway_projector
from support.eventually import eventually
from support.programs import Program
from support.projected import projected
from support.tables import Tables, expected
from support.topics import Topics

FEW = {"HEADWAY_PROJECTOR_TOPIC_KEPT_S": "1", "HEADWAY_PROJECTOR_LOG_KEPT_WEEKS": "2"}
SOME_ROUNDS_S = 3.5
TODAY = datetime.now(UTC).date()
THIS_WEEK = TODAY - timedelta(days=TODAY.weekday())


@pytest.fixture
def tidy(make_projector: Callable[..., Program]) -> Program:
    """A running projector that keeps topics for a second and logs for two weeks."""
    projector = make_projector(**FEW)
    projector.run()
    return projector


async def batch_of_week(topics: Topics, tables: Tables, batch_id: int, week: date, *, closed: bool = True) -> None:
    """A projected batch as if it was registered, and written, in that week."""
    await project(topics, tables, batch_id, closed=closed)
    await age(tables, {batch_id: week})


async def project(topics: Topics, tables: Tables, batch_id: int, *, closed: bool = True) -> None:
    events = list(batch_events(batch_id, 20, failed=3))
    await projected(topics, tables, batch_id, events if closed else events[:-1])


async def age(tables: Tables, batches: dict[int, date]) -> None:
    async with tables.connection.transaction():
        for batch_id, week in batches.items():
            await tables.connection.execute("SELECT ensureLogWeek($1)", week)
            for table in ("batchExecutionLog", "fileOutcome"):
                await tables.connection.execute(f"UPDATE {table} SET logWeek = $1 WHERE batchId = $2", week, batch_id)
            await tables.connection.execute(
                "UPDATE batch SET logWeek = $1::date, movedAt = $1::date WHERE batchId = $2", week, batch_id
            )


async def dropped(tables: Tables, batch_id: int) -> bool:
    return (await tables.overview(batch_id))["logdroppedat"] is not None


async def weeks(tables: Tables) -> list[date]:
    return [row["week"] for row in await tables.connection.fetch("SELECT * FROM logWeeks() AS week ORDER BY week")]


async def test_old_weeks_are_dropped_and_counts_and_younger_weeks_stay_while_other_batches_are_written(
    tidy: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    old, older, young, live = range(batch_id, batch_id + 4)
    for one, age in ((old, 3), (older, 4), (young, 2)):
        await batch_of_week(topics, tables, one, THIS_WEEK - age * timedelta(days=7))
    runs = {one: (await tables.of_batch(one)).runs for one in (old, older, young)}
    topics.create(live)
    topics.announce(live)
    events = batch_events(live, 1_000_000)  # of which as many are written as come before the weeks are dropped
    while not (await dropped(tables, old) and await dropped(tables, older)):
        await asyncio.to_thread(topics.write_events, list(itertools.islice(events, 100)))
    records = topics.read(topics.names.of_batch(live))
    await tables.wait_for(live, len(records))
    assert await tables.of_batch(live) == expected(live, records)
    for one in (old, older):
        found = await tables.of_batch(one)
        assert (found.runs, found.log, found.outcomes) == (runs[one], [], {})
        assert found.batch.nextoffset == 23
    assert await weeks(tables) == [THIS_WEEK - timedelta(days=14), THIS_WEEK, THIS_WEEK + timedelta(days=7)]
    assert not await dropped(tables, young)
    assert len((await tables.of_batch(young)).log) == 23


async def test_a_week_with_an_open_batch_is_kept_and_that_is_said_once_until_it_is_closed(
    tidy: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    week = THIS_WEEK - timedelta(days=28)
    await batch_of_week(topics, tables, batch_id, week)
    await batch_of_week(topics, tables, batch_id + 1, week, closed=False)
    await eventually(tidy.log_text, lambda text: "action='week_kept'" in text)
    await asyncio.sleep(SOME_ROUNDS_S)
    assert week in await weeks(tables)
    assert tidy.log_text().count("reason='1 of its batches") == 1
    topics.delete(topics.names.of_batch(batch_id + 1))  # and nobody will ever close it: docs/operate/lifecycle.md
    await tables.connection.execute("UPDATE batch SET closed = true WHERE batchId = $1", batch_id + 1)
    await eventually(lambda: dropped(tables, batch_id + 1), bool)


async def test_a_week_is_kept_until_it_is_in_the_parquet_archive_where_that_is_asked_for(
    make_projector: Callable[..., Program], topics: Topics, tables: Tables, batch_id: int,
    environment: dict[str, str], tmp_path: Path,
) -> None:  # fmt: skip
    projector = make_projector(**FEW, HEADWAY_PROJECTOR_LOG_ARCHIVED_FIRST="1")
    projector.run()
    await batch_of_week(topics, tables, batch_id, THIS_WEEK - timedelta(days=28))
    await eventually(projector.log_text, lambda text: "or are not archived" in text)
    await eventually(lambda: topics.exists(topics.names.of_batch(batch_id)), lambda found: not found)
    await asyncio.sleep(SOME_ROUNDS_S)
    assert not await dropped(tables, batch_id)
    log = (await tables.of_batch(batch_id)).log
    assert headway_projector(environment, "archive", str(tmp_path / "archive")).returncode == 0
    await eventually(lambda: dropped(tables, batch_id), bool)
    assert archived(tmp_path / "archive", batch_id) == as_archived(batch_id, log)


async def test_a_long_reader_keeps_a_week_and_holds_up_no_writer(
    tidy: Program, topics: Topics, tables: Tables, batch_id: int, database_url: str
) -> None:
    reader = await asyncpg.connect(database_url)
    async with reader.transaction():
        await reader.fetch("SELECT count(*) FROM eventLog")
        await batch_of_week(topics, tables, batch_id, THIS_WEEK - timedelta(days=28))
        await eventually(tidy.log_text, lambda text: "somebody reads or changes the log" in text)
        for one in range(batch_id + 1, batch_id + 4):
            topics.create(one)
            topics.announce(one)
            topics.write_events(batch_events(one, 100))
            await tables.wait_for(one, 103, within_s=10)
        assert not await dropped(tables, batch_id)
    await eventually(lambda: dropped(tables, batch_id), bool)
    await reader.close()


async def test_what_a_dropped_log_cannot_answer_is_refused_and_a_new_topic_can_be_projected(
    tidy: Program, topics: Topics, tables: Tables, batch_id: int, environment: dict[str, str]
) -> None:
    await batch_of_week(topics, tables, batch_id, THIS_WEEK - timedelta(days=28))
    await eventually(lambda: dropped(tables, batch_id), bool)
    before = await tables.of_batch(batch_id)
    for command in ("verify", "rebuild"):
        found = headway_projector(environment, command, str(batch_id))
        assert found.returncode == 1
        assert "HEADWAY_PROJECTOR_LOG_KEPT_WEEKS" in found.stderr
        assert "Traceback" not in found.stderr
    assert await tables.of_batch(batch_id) == before

    topic = topics.create(batch_id)
    topics.write_events(list(batch_events(batch_id, 5))[:-1])
    await eventually(lambda: tables.overview(batch_id), lambda overview: overview["problem"] is not None)
    assert await tables.of_batch(batch_id) == before
    assert headway_projector(environment, "rebuild", str(batch_id), "--from-topic").returncode == 0
    await tables.wait_for(batch_id, 7)
    assert await tables.of_batch(batch_id) == expected(batch_id, topics.read(topic))
    assert not await dropped(tables, batch_id)


async def test_projectors_side_by_side_delete_each_topic_and_drop_each_week_once(
    make_projector: Callable[..., Program], topics: Topics, tables: Tables, batch_id: int
) -> None:
    projectors = [make_projector(**FEW) for _ in range(2)]
    for projector in projectors:
        projector.run()
    batches = range(batch_id, batch_id + 12)
    for one in batches:
        await project(topics, tables, one)
    await age(tables, {one: THIS_WEEK - (4 + number % 3) * timedelta(days=7) for number, one in enumerate(batches)})
    for one in batches:
        await eventually(functools.partial(dropped, tables, one), bool)
    logs = [projector.log_text() for projector in projectors]
    for action, times in (("topic_deleted", len(batches)), ("week_dropped", 3)):
        assert sum(log.count(f"action='{action}'") for log in logs) == times
    assert [log for log in logs if "janitor_failed" in log] == []
    assert all("topic_deleted" in log for log in logs)  # each looked after its own
