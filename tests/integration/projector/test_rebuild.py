"""A batch can be projected again into the same numbers, and its tables compared with its log."""

from __future__ import annotations

import random
import re

import pytest

from support.batches import batch_events
from support.commands import headway_projector
from support.programs import Program
from support.tables import Tables, expected
from support.topics import Topics

FILE = '{"eventType":"%s","batchId":%d,"stage":"%s","fileName":"%d.wav"}'
START = '{"eventType":"stage_start","batchId":%d,"stage":"%s","totalFiles":50}'
HEARTBEAT = '{"eventType":"worker_heartbeat","batchId":%d,"stage":"d","worker":"w","filesInFlight":["new.wav"]}'
EVENTS = 12_000  # more than two pages of the log


@pytest.fixture
async def projected(projector: Program, topics: Topics, tables: Tables, batch_id: int) -> int:
    """A batch of two stages, several runs and a record that is no event, projected."""
    chance = random.Random(7)
    topic = topics.create(batch_id)
    topics.announce(batch_id)
    history = [
        START % (batch_id, chance.choice("de"))
        if chance.random() < 0.001
        else FILE
        % (chance.choice(["file_complete", "file_error"]), batch_id, chance.choice("de"), chance.randint(0, 500))
        for _ in range(EVENTS - 2)
    ]
    history.append(HEARTBEAT % batch_id)
    topics.write(topic, [record.encode() for record in [*history, "no event"]])
    await tables.wait_for(batch_id, EVENTS)
    return batch_id


async def test_damaged_counts_are_named_by_verify_and_mended_by_rebuild(
    projected: int, topics: Topics, tables: Tables, environment: dict[str, str]
) -> None:
    before = await tables.of_batch(projected)
    assert headway_projector(environment, "verify", str(projected)).returncode == 0
    await tables.connection.execute("UPDATE stageProgress SET processed = processed + 1 WHERE stage = 'd' AND run = 1")
    await tables.connection.execute("DELETE FROM fileOutcome WHERE stage = 'e' AND run = 1 AND fileName = '5.wav'")
    await tables.connection.execute("DELETE FROM busyWorker")
    await tables.connection.execute("DELETE FROM batchExecutionLog WHERE topicOffset = 0")
    found = headway_projector(environment, "verify", str(projected))
    assert found.returncode == 1
    assert "run ('d', 1)" in found.stdout
    assert "file ('e', 1, '5.wav')" in found.stdout
    assert re.search(r"worker \('d', \d+, 'w'\)", found.stdout)
    assert f"{EVENTS} projected, but {EVENTS - 1} in the log" in found.stdout

    assert headway_projector(environment, "rebuild", str(projected), "--from-topic").returncode == 0
    await tables.wait_for(projected, EVENTS)
    assert (
        await tables.of_batch(projected) == before == expected(projected, topics.read(topics.names.of_batch(projected)))
    )


async def test_a_batch_without_a_topic_is_rebuilt_from_its_raw_log(
    projected: int, projector: Program, topics: Topics, tables: Tables, environment: dict[str, str]
) -> None:
    before = await tables.of_batch(projected)
    topics.delete(topics.names.of_batch(projected))
    await tables.connection.execute("UPDATE stageProgress SET errors = 99999, status = 'complete'")
    await tables.connection.execute("UPDATE fileOutcome SET outcome = 'error'")
    await tables.connection.execute("UPDATE busyWorker SET worker = 'somebody else'")
    refused = headway_projector(environment, "rebuild", str(projected), "--from-topic")
    assert refused.returncode == 1
    assert "rebuild without --from-topic" in refused.stderr
    assert headway_projector(environment, "rebuild", str(projected)).returncode == 0
    assert await tables.of_batch(projected) == before
    assert headway_projector(environment, "verify", str(projected)).returncode == 0


async def test_a_batch_rebuilt_while_it_is_written_goes_on_from_the_right_counts(
    projected: int, topics: Topics, tables: Tables, environment: dict[str, str]
) -> None:
    for _ in range(3):
        topics.write_events(batch_events(projected, 100, failed=3, stage="d"))
        assert headway_projector(environment, "rebuild", str(projected)).returncode == 0
    records = topics.read(topics.names.of_batch(projected), at_least=EVENTS + 3 * 103)
    await tables.wait_for(projected, len(records))
    assert await tables.of_batch(projected) == expected(projected, records)


def test_a_batch_that_is_not_in_the_tables_is_named(projector: Program, environment: dict[str, str]) -> None:
    for name in ("rebuild", "verify"):
        found = headway_projector(environment, name, "404")
        assert found.returncode == 1
        assert "Batch 404 is not in the tables" in found.stderr
