"""The tables are a straight fold of the topic: counts, outcomes, log and dead letters."""

from __future__ import annotations

import json
import random

import pytest
from confluent_kafka import TopicPartition
from headway_events import StageStart

from support.batches import batch_events
from support.programs import Program
from support.tables import Tables, expected
from support.topics import Topics


def messy_history(batch_id: int, seed: int, events: int) -> list[bytes]:
    """Records of a batch as a bad day makes them: retries, duplicates, late events, new runs, and no events at all."""
    chance = random.Random(seed)
    records = []
    for _ in range(events):
        stage = chance.choice(["denoise", "encode"])
        kind = chance.choices(
            ["file_complete", "file_error", "stage_progress", "stage_start", "stage_complete", "worker_heartbeat",
             "batch_complete", "nonsense"],
            [60, 20, 5, 2, 2, 6, 1, 3],
        )[0]  # fmt: skip
        document: dict[str, object] = {
            "eventType": kind,
            "batchId": batch_id,
            "timestamp": f"2026-11-24T10:{chance.randint(10, 59)}:00Z",
        }
        if kind != "batch_complete":
            document["stage"] = stage
        if kind.startswith("file"):
            document["fileName"] = chance.choice(["a\tb", "c\\d", "é\u2028", "'", "\\N"]) + str(chance.randint(0, 60))
            document["response"] = {"status": "error" if kind == "file_error" else "success", "text": "\\u0000 \0 \n"}
        elif kind == "worker_heartbeat":
            document["worker"] = chance.choice(["w1", "w\t2", "é'"])
            document["filesInFlight"] = [f"é\u2028{chance.randint(0, 60)}" for _ in range(chance.randint(0, 4))]
        elif kind == "stage_start":
            document["totalFiles"] = 60
        elif kind in {"stage_progress", "stage_complete"}:
            document["processedFiles"] = chance.randint(0, 60)
            document["failedFiles"] = chance.randint(0, 5)
        records.append(json.dumps(document).encode())
    return records


@pytest.mark.parametrize("seed", range(3))
async def test_a_messy_batch_is_projected_as_a_straight_fold_of_its_topic(
    projector: Program, topics: Topics, tables: Tables, batch_id: int, seed: int
) -> None:
    topic = topics.create(batch_id)
    topics.announce(batch_id)
    history = messy_history(batch_id, seed, 1500)
    for begin in range(0, len(history), 300):
        topics.write(topic, history[begin : begin + 300])
    await tables.wait_for(batch_id, len(history))
    assert await tables.of_batch(batch_id) == expected(batch_id, topics.read(topic, at_least=len(history)))


async def test_a_topic_that_nobody_announced_is_projected_all_the_same(
    projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    topics.create(batch_id)
    topics.write_events(batch_events(batch_id, 3))
    await tables.wait_for(batch_id, 6)


async def test_a_record_that_is_no_event_goes_to_the_dead_letters_as_it_came_and_the_batch_goes_on(
    projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    topic = topics.create(batch_id)
    topics.announce(batch_id)
    bad = [
        b"not json",
        b"\xff\xfe\x00",
        b'{"eventType":"explosion","batchId":%d,"stage":"s"}' % batch_id,
        b'{"eventType":"stage_start","batchId":1,"stage":"s"}',
        b'{"eventType":"stage_start","batchId":%d,"stage":"s","totalFiles":-1}' % batch_id,
        b'{"eventType":"stage_start","batchId":%d,"stage":"s","totalFiles":99999999999}' % batch_id,
        b'{"eventType":"file_complete","batchId":%d,"stage":"s","fileName":"a\\u0000b"}' % batch_id,
        None,
    ]
    topics.write(topic, bad, record_key=b"k")
    topics.write_events(batch_events(batch_id, 2))
    await tables.wait_for(batch_id, len(bad) + 5)
    found = await tables.of_batch(batch_id)
    assert [letter.error for letter in found.letters] == [
        "MalformedRecord", "MalformedRecord", "UnknownEventType", "WrongBatch", "InvalidField", "InvalidField",
        "InvalidField", "MalformedRecord",
    ]  # fmt: skip
    assert found.runs["denoise", 1].processed == 2
    letters = topics.read(topics.names.dead_letters, at_least=len(bad))
    assert [letter.value for letter in letters] == bad
    assert {letter.key for letter in letters} == {b"k"}
    assert letters[3].headers["topic"].decode() == topic
    assert letters[3].headers["offset"] == b"3"
    assert letters[3].headers["error"] == b"WrongBatch"


async def test_what_jsonb_cannot_hold_is_stored_in_part_and_kept_whole_beside_it(
    projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    topic = topics.create(batch_id)
    topics.announce(batch_id)
    head = b'{"eventType":"file_complete","batchId":%d,"stage":"s","fileName":"%d","response":%b}'
    responses = [b'"a\\u0000b\\\\u0000"', b"1e200000", b'"' + b"x" * 900_000 + b'"', b'{"ok":1}']
    values = [head % (batch_id, number, response) for number, response in enumerate(responses)]
    topics.write(topic, values)
    await tables.wait_for(batch_id, 4)
    rows = await tables.connection.fetch(
        "SELECT response, value FROM eventLog WHERE batchId = $1 ORDER BY id", batch_id
    )
    assert [row["value"].encode() for row in rows] == values
    stored = [json.loads(row["response"]) for row in rows]
    assert stored[0] == "a\ufffdb\\u0000"
    assert "not storable" in stored[1]["headway"]
    assert len(stored[2]) == 900_000
    assert stored[3] == {"ok": 1}


async def test_offsets_that_expired_before_they_were_projected_are_a_gap_that_people_see(
    topics: Topics, tables: Tables, batch_id: int, projector: Program
) -> None:
    topic = topics.create(batch_id)
    topics.announce(batch_id)
    topics.write_events([StageStart(batch_id=batch_id, stage="denoise", total_files=10)])
    await tables.wait_for(batch_id, 1)
    projector.stop()
    topics.write_events(batch_events(batch_id, 10))
    cut = TopicPartition(topic, 0, 5)
    topics.admin.delete_records([cut])[cut].result(timeout=10)
    projector.run()
    await tables.wait_for(batch_id, 14)
    (gap,) = await tables.connection.fetch("SELECT * FROM offsetGapView WHERE batchId = $1", batch_id)
    assert (gap["fromoffset"], gap["tooffset"]) == (1, 5)
    assert "expired" in gap["reason"]
    assert "offset_gap" in projector.log_text()


async def test_a_topic_deleted_while_it_is_read_leaves_its_tables_and_disturbs_no_other(
    projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    for one in (batch_id, batch_id + 1):
        topics.create(one)
        topics.announce(one)
        topics.write_events(batch_events(one, 3))
        await tables.wait_for(one, 6)
    topics.delete(topics.names.of_batch(batch_id))
    topics.write_events(batch_events(batch_id + 1, 3))
    await tables.wait_for(batch_id + 1, 12)
    assert await tables.next_offset(batch_id) == 6
