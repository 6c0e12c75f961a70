"""The janitor deletes a finished batch's topic once the tables hold all of it, and drops the log of old weeks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from confluent_kafka import TopicPartition
from headway_events import BatchComplete, StageStart

from support.batches import batch_events
from support.commands import headway_projector
from support.eventually import eventually
from support.programs import Program
from support.tables import Tables, expected
from support.topics import Topics

KEPT = {"HEADWAY_PROJECTOR_TOPIC_KEPT_S": "1"}
SOME_ROUNDS_S = 3.5


@pytest.fixture
def tidy(make_projector: Callable[..., Program]) -> Program:
    """A running projector that keeps the topics of finished batches for a second."""
    projector = make_projector(**KEPT)
    projector.run()
    return projector


async def finish(topics: Topics, batch_id: int, files: int = 3) -> str:
    """A finished batch of one stage, announced; its topic."""
    topic = topics.create(batch_id)
    topics.announce(batch_id)
    await asyncio.to_thread(topics.write_events, batch_events(batch_id, files))
    return topic


def there(topics: Topics, topic: str) -> bool:
    return topic in topics.admin.list_topics(timeout=10).topics


async def archived(tables: Tables, batch_id: int) -> None:
    await eventually(lambda: tables.overview(batch_id), lambda found: found.get("archivedat") is not None)


async def test_the_topic_of_a_finished_batch_is_deleted_and_its_tables_stay(
    tidy: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    topic = await finish(topics, batch_id)
    await tables.wait_for(batch_id, 6)
    before = await tables.of_batch(batch_id)
    await archived(tables, batch_id)
    await eventually(lambda: there(topics, topic), lambda found: not found)
    await asyncio.sleep(SOME_ROUNDS_S)
    assert await tables.of_batch(batch_id) == before
    log = tidy.log_text()
    assert log.count("action='topic_deleted'") == 1
    assert "WARNING" not in log
    assert "ERROR" not in log


async def test_a_batch_that_is_open_or_open_again_keeps_its_topic(
    tidy: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    open_still, open_again, finished = batch_id, batch_id + 1, batch_id + 2
    kept = [topics.create(open_still), await finish(topics, open_again)]
    topics.announce(open_still)
    topics.write_events(list(batch_events(open_still, 3))[:-1])
    topics.write_events([StageStart(batch_id=open_again, stage="encode")])
    await tables.wait_for(open_still, 5)
    await tables.wait_for(open_again, 7)
    await finish(topics, finished)
    await archived(tables, finished)
    assert [topic for topic in kept if not there(topics, topic)] == []


async def test_how_long_a_batch_has_been_quiet_is_told_by_the_servers_clock_whatever_its_events_say(
    tidy: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    ahead, waiting = batch_id, batch_id + 1
    topics.create(ahead)
    topics.announce(ahead)
    topics.write_events([BatchComplete(batch_id=ahead, timestamp=datetime(2999, 1, 1, tzinfo=UTC))])
    topic = await finish(topics, waiting)
    await tables.wait_for(waiting, 6)
    await tables.connection.execute("UPDATE batch SET movedAt = now() + interval '1 hour' WHERE batchId = $1", waiting)
    await archived(tables, ahead)
    await asyncio.sleep(SOME_ROUNDS_S)
    assert there(topics, topic)
    topics.write_events([BatchComplete(batch_id=waiting)])  # the last event is now
    await archived(tables, waiting)


async def test_a_topic_with_records_that_are_not_projected_is_kept_and_that_is_said_once(
    tidy: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    topic = await finish(topics, batch_id)
    await tables.wait_for(batch_id, 6)
    async with tables.connection.transaction():  # holds the projector back from the batch, not the janitor's look at it
        await tables.connection.execute("SELECT FROM batch WHERE batchId = $1 FOR UPDATE", batch_id)
        topics.write_events([BatchComplete(batch_id=batch_id)])
        await eventually(tidy.log_text, lambda text: "action='topic_kept'" in text)
        await asyncio.sleep(SOME_ROUNDS_S)
        assert there(topics, topic)
        assert tidy.log_text().count("action='topic_kept'") == 1
        assert "more or less than is projected" in tidy.log_text()
    await archived(tables, batch_id)
    assert await tables.next_offset(batch_id) == 7


async def test_a_hole_in_the_log_keeps_the_topic_until_the_batch_is_rebuilt_from_it(
    tidy: Program, topics: Topics, tables: Tables, batch_id: int, environment: dict[str, str]
) -> None:
    topic = topics.create(batch_id)
    topics.announce(batch_id)
    topics.write_events(list(batch_events(batch_id, 3))[:-1])
    await tables.wait_for(batch_id, 5)
    await tables.connection.execute("DELETE FROM batchExecutionLog WHERE topicOffset = 2")
    topics.write_events([BatchComplete(batch_id=batch_id)])
    await eventually(tidy.log_text, lambda text: "do not hold every offset" in text)
    await asyncio.sleep(SOME_ROUNDS_S)
    assert there(topics, topic)
    assert tidy.log_text().count("action='topic_kept'") == 1
    records = topics.read(topic, at_least=6)
    assert headway_projector(environment, "rebuild", str(batch_id), "--from-topic").returncode == 0
    await archived(tables, batch_id)
    assert await tables.of_batch(batch_id) == expected(batch_id, records)


async def test_dead_letters_and_gaps_are_accounted_for_and_keep_no_topic(
    make_projector: Callable[..., Program], topics: Topics, tables: Tables, batch_id: int
) -> None:
    topic = topics.create(batch_id)
    topics.write(topic, [b"no event"])
    topics.write_events(batch_events(batch_id, 3))
    topics.write(topic, [b"no event either"])
    cut = TopicPartition(topic, 0, 2)
    topics.admin.delete_records([cut])[cut].result(timeout=10)
    make_projector(**KEPT).run()
    await archived(tables, batch_id)
    found = await tables.of_batch(batch_id)
    assert [row.topicoffset for row in found.log] == [2, 3, 4, 5, 6]
    assert [(letter.topicoffset, letter.error) for letter in found.letters] == [(7, "MalformedRecord")]


async def test_a_topic_that_others_deleted_is_archived_if_the_tables_have_all_of_it(
    make_projector: Callable[..., Program], topics: Topics, tables: Tables, batch_id: int
) -> None:
    projector = make_projector()
    projector.run()
    for one in (batch_id, batch_id + 1):
        await finish(topics, one)
        await tables.wait_for(one, 6)
        topics.delete(topics.names.of_batch(one))
    projector.stop()
    await tables.connection.execute("DELETE FROM batchExecutionLog WHERE batchId = $1 AND topicOffset = 2", batch_id)
    tidy = make_projector(**KEPT)
    tidy.run()
    await archived(tables, batch_id + 1)
    await eventually(tidy.log_text, lambda text: "action='topic_kept'" in text)
    assert (await tables.overview(batch_id))["archivedat"] is None
