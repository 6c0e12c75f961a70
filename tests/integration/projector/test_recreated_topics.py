"""A topic that was deleted and made anew is never projected into the old numbers: people decide, and find it said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from support.batches import batch_events
from support.commands import headway_projector
from support.eventually import eventually
from support.programs import Program
from support.tables import Tables, expected
from support.topics import Topics


async def projected(topics: Topics, tables: Tables, batch_id: int, files: int = 3) -> str:
    """A finished batch, projected; its topic."""
    topic = topics.create(batch_id)
    topics.announce(batch_id)
    topics.write_events(batch_events(batch_id, files))
    await tables.wait_for(batch_id, files + 3)
    return topic


def made_anew(topics: Topics, batch_id: int, files: int) -> None:
    """The batch's topic deleted, and written again at once, as by a pipeline whose topic was deleted under it."""
    topics.delete(topics.names.of_batch(batch_id))
    topics.create(batch_id)
    topics.write_events(batch_events(batch_id, files, failed=1))


async def problem(tables: Tables, batch_id: int) -> str:
    found = await eventually(lambda: tables.overview(batch_id), lambda overview: overview.get("problem") is not None)
    return str(found["problem"])


@pytest.mark.parametrize("files", [1, 3000], ids=["fewer records", "more records"])
async def test_a_topic_made_anew_while_it_is_read_is_not_projected_until_somebody_decides(
    projector: Program, topics: Topics, tables: Tables, batch_id: int, environment: dict[str, str], files: int
) -> None:
    await projected(topics, tables, batch_id)
    before = await tables.of_batch(batch_id)
    await asyncio.to_thread(made_anew, topics, batch_id, files)
    assert f"headway-projector rebuild {batch_id} --from-topic" in await problem(tables, batch_id)
    await asyncio.sleep(2.5)  # the reconciliation would have begun again
    assert await tables.of_batch(batch_id) == before
    assert projector.log_text().count("action='topic_recreated'") == 1

    records = topics.read(topics.names.of_batch(batch_id), at_least=files + 3)
    assert headway_projector(environment, "rebuild", str(batch_id), "--from-topic").returncode == 0
    await tables.wait_for(batch_id, files + 3)
    assert await tables.of_batch(batch_id) == expected(batch_id, records)
    assert (await tables.overview(batch_id))["problem"] is None


async def test_a_topic_made_anew_while_no_projector_ran_is_found_when_its_batch_begins(
    projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    await projected(topics, tables, batch_id)
    before = await tables.of_batch(batch_id)
    projector.stop()
    made_anew(topics, batch_id, 100)
    projector.run()
    assert "deleted and made anew" in await problem(tables, batch_id)
    assert await tables.of_batch(batch_id) == before


async def test_a_late_producer_of_an_archived_batch_spoils_nothing_and_its_topic_can_be_deleted_again(
    make_projector: Callable[..., Program], topics: Topics, tables: Tables, batch_id: int
) -> None:
    make_projector(HEADWAY_PROJECTOR_TOPIC_KEPT_S="1").run()
    topic = await projected(topics, tables, batch_id)
    await eventually(lambda: topics.exists(topic), lambda there: not there)
    before = await tables.of_batch(batch_id)
    topics.create(batch_id)
    topics.write_events(batch_events(batch_id, 10))
    assert "deleted and made anew" in await problem(tables, batch_id)
    await asyncio.sleep(2.5)  # the janitor would have deleted it: whether the new topic goes is for people to say
    assert topics.exists(topic)
    topics.delete(topic)
    await eventually(lambda: tables.overview(batch_id), lambda found: found["problem"] is None)
    assert await tables.of_batch(batch_id) == before
    assert (await tables.overview(batch_id))["archivedat"] is not None


async def test_a_topic_that_ends_before_what_is_projected_is_left_to_people(
    projector: Program, topics: Topics, tables: Tables, batch_id: int, environment: dict[str, str]
) -> None:
    topic = await projected(topics, tables, batch_id)
    projector.stop()
    await tables.connection.execute("UPDATE batch SET nextOffset = 9 WHERE batchId = $1", batch_id)
    projector.run()
    assert "ends at offset 6, but 9 offsets" in await problem(tables, batch_id)
    await asyncio.sleep(2.5)
    assert projector.log_text().count("action='topic_cut_short'") == 1
    assert projector.log_text().count("action='offset_gap'") == 1
    assert headway_projector(environment, "rebuild", str(batch_id), "--from-topic").returncode == 0
    await tables.wait_for(batch_id, 6)
    await eventually(lambda: tables.of_batch(batch_id), lambda found: found == expected(batch_id, topics.read(topic)))


async def test_a_topic_made_anew_before_anything_of_it_was_projected_is_simply_read(
    projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    topic = topics.create(batch_id)
    topics.announce(batch_id)
    await eventually(projector.log_text, lambda text: "action='batch_begun'" in text)
    topics.delete(topic)
    await projected(topics, tables, batch_id)
    assert (await tables.overview(batch_id))["problem"] is None
