"""Every kind of bad record goes where docs/reference/bad-records.md says, with the reason, and its batch goes on."""

from __future__ import annotations

import re

from support.batches import batch_events
from support.programs import Program
from support.tables import Tables, expected
from support.topics import Topics

FILE = '{"eventType":"file_complete","batchId":%d,"stage":"s","fileName":"f%d"'
START = '{"eventType":"stage_start","batchId":%d,"stage":"s","totalFiles":'

# Name, record (%d: the batch), code, and what the message says.
REFUSED = [
    ("no value", None, "MalformedRecord", "no value"),
    ("no JSON", "not JSON", "MalformedRecord", "malformed"),
    ("no UTF-8", b"\xff\xfe", "MalformedRecord", "utf-8"),
    ("a list", "[]", "MalformedRecord", "object"),
    ("nested too deep", '{"a":' * 300 + "1" + "}" * 300, "MalformedRecord", "256 deep"),
    ("an unknown event type", '{"eventType":"explosion","batchId":%d}', "UnknownEventType", "explosion"),
    (
        "the batch of another topic",
        '{"eventType":"stage_start","batchId":1,"stage":"s"}',
        "WrongBatch",
        "topic's, got 1",
    ),
    ("a number as text", START + '"5"}', "InvalidField", r"\$\.totalFiles"),
    ("a negative number", START + "-1}", "InvalidField", r"\$\.totalFiles"),
    ("a huge number", START + "99999999999999999999}", "InvalidField", r"\$\.totalFiles"),
    (
        "NUL in a file in flight",
        r'{"eventType":"worker_heartbeat","batchId":%d,"stage":"s","worker":"w","filesInFlight":["\u0000"]}',
        "InvalidField",
        r"NUL.*\$\.filesInFlight\[0\]",
    ),
    ("NUL in a name", FILE.replace("f%d", r"\u0000") + "}", "InvalidField", r"NUL.*\$\.fileName"),
    (
        "a lone surrogate in a name",
        FILE.replace("f%d", r"\ud800 and more") + ',"gpuIp":"10.0.0.7"}',
        "MalformedRecord",
        "",
    ),
    ("an empty name", FILE.replace("f%d", "") + "}", "InvalidField", r"\$\.fileName"),
    ("a name too long", FILE.replace("f%d", "x" * 1025) + "}", "InvalidField", r"\$\.fileName"),
    ("a negative duration", FILE.replace("f%d", "f") + ',"durationMs":-1}', "InvalidField", r"\$\.durationMs"),
    (
        "a time without an offset",
        FILE.replace("f%d", "f") + ',"timestamp":"2026-01-01T00:00:00"}',
        "InvalidField",
        "timezone",
    ),
    (
        "a clock in the year 9999",
        FILE.replace("f%d", "f") + ',"timestamp":"9999-01-01T00:00:00Z"}',
        "InvalidField",
        "9999",
    ),
]

# Name, what follows the file's name, and the response as stored (None: no response).
KEPT = [
    ("a clock that is years behind", ',"timestamp":"1999-01-01T00:00:00Z"', None),
    ("a clock that is years ahead", ',"timestamp":"2090-01-01T00:00:00Z"', None),
    ("unknown fields", ',"colour":"blue"', None),
    ("a large response", ',"response":"' + "x" * 900_000 + '"', '"xxx'),
    ("NUL in a response", r',"response":"a\u0000b"', '"a\ufffdb"'),
    ("a number past numeric in a response", ',"response":1e200000', "not storable as jsonb"),
]


def as_record(record: str | bytes | None, batch_id: int) -> bytes | None:
    """A row's record for one batch."""
    return (record % batch_id if "%d" in record else record).encode() if isinstance(record, str) else record


async def test_a_record_that_is_no_event_is_refused_with_its_code_and_reason_and_the_batch_goes_on(
    projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    topic = topics.create(batch_id)
    topics.announce(batch_id)
    for _, record, _, _ in REFUSED:
        topics.write(topic, [as_record(record, batch_id)])
    topics.write_events(batch_events(batch_id, 3))
    await tables.wait_for(batch_id, len(REFUSED) + 6)
    found = await tables.of_batch(batch_id)
    wrong = [
        f"{name}: {letter.error}: {letter.message}"
        for (name, _, code, reason), letter in zip(REFUSED, found.letters, strict=True)
        if letter.error != code or not re.search(reason, letter.message)
    ]
    assert wrong == []
    assert len(found.log) == 6
    assert found == expected(batch_id, topics.read(topic, at_least=len(REFUSED) + 6))
    assert projector.metric("headway_projector_dead_letters_total") == len(REFUSED)


async def test_what_is_odd_but_an_event_is_kept_whole_and_stored_as_far_as_postgresql_can(
    projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    topic = topics.create(batch_id)
    topics.announce(batch_id)
    values = [(FILE % (batch_id, number) + rest + "}").encode() for number, (_, rest, _) in enumerate(KEPT)]
    topics.write(topic, values)
    await tables.wait_for(batch_id, len(KEPT))
    rows = await tables.connection.fetch(
        "SELECT value, response::text FROM eventLog WHERE batchId = $1 ORDER BY topicOffset", batch_id
    )
    assert [row["value"].encode() for row in rows] == values
    stored = {name: row["response"] for (name, _, _), row in zip(KEPT, rows, strict=True)}
    assert {
        name: part for name, _, part in KEPT if not (stored[name] is part is None or (part or "?") in stored[name])
    } == {}
    assert (await tables.of_batch(batch_id)).runs["s", 1].processed == len(KEPT)
