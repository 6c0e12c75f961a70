"""Whatever is written to the registry, true batches are projected and Faust goes on."""

from __future__ import annotations

from headway_events import Announcement, encode_announcement, registry_key

from support.batches import batch_events
from support.eventually import eventually
from support.programs import Program
from support.tables import Tables, expected
from support.topics import Topics

BAD = [
    b"",
    b"not JSON",
    b"{}",
    b"[]",
    b"\xff",
    b'{"batchId":"1","topic":"t"}',
    b'{"batchId":1,"topic":"\\u0000"}',
    None,
]


async def test_records_that_announce_nothing_are_passed_over(
    projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    topic = topics.create(batch_id)
    topics.write(topics.names.registry, BAD, record_key=registry_key(batch_id))
    topics.write(topics.names.registry, BAD, record_key=b"no batch")
    topics.announce(batch_id)
    topics.write_events(batch_events(batch_id, 5))
    await tables.wait_for(batch_id, 8, within_s=10)
    assert await tables.of_batch(batch_id) == expected(batch_id, topics.read(topic, at_least=8))
    await eventually(lambda: projector.log_text().count("bad_announcement"), lambda found: found == 2 * len(BAD))


async def test_a_batch_that_claims_the_topic_of_another_takes_nothing_from_it(
    projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    topic = topics.create(batch_id)
    claim = Announcement(batch_id=batch_id + 1, topic=topic)
    topics.write(topics.names.registry, [encode_announcement(claim)], record_key=registry_key(batch_id + 1))
    topics.write_events(batch_events(batch_id, 5))
    await tables.wait_for(batch_id, 8, within_s=10)
    assert await tables.of_batch(batch_id) == expected(batch_id, topics.read(topic, at_least=8))
    assert await tables.next_offset(batch_id + 1) == -1
