"""Whatever is written to a topic, the projector goes on: each record is in the log or among the dead letters."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from support.batches import batch_events
from support.programs import Program
from support.tables import Tables, differences, expected
from support.topics import Topics

RECORDS = 50_000  # of each seed
FILE = '{"eventType":"file_complete","batchId":%d,"stage":"s","fileName":"%d.wav","timestamp":"%s","response":%s}'
PIECES = [
    b'"', b"\\", b"{", b"}", b"[", b"]", b":", b",", b"-", b"1e999", b"1e-999", b"NaN", b"null", b"\\u0000", b"\\ud800",
    b"\\udc00", b"\0", b"\n", b"\t", b"\\t", b"\\N", b"\\.", b"\xff", b"\xc2\x85", b"\xe2\x80\xa8", b"\xed\xa0\x80",
    b"99999999999999999999", b"-1", b"0", b"+23:59", b"0001", b"9999", b"\x7f", b"\xf0\x9f\x8e\xa7", b"file_error",
]  # fmt: skip


def damaged(batch_id: int, chance: random.Random) -> Iterator[bytes]:
    """Records of one batch, most with some places overwritten, cut or filled."""
    for number in range(RECORDS):
        value = (FILE % (batch_id, number % 500, "2026-11-24T10:00:00+01:00", '{"text":"\\u00e9","n":1}')).encode()
        for _ in range(chance.randint(0, 3)):
            begin = chance.randint(0, len(value))
            end = min(len(value), begin + chance.choice([0, 1, 2, 6]))
            value = value[:begin] + chance.choice([chance.choice(PIECES), chance.randbytes(2)]) + value[end:]
        yield value


@pytest.mark.parametrize("seed", [1, 2])
async def test_damaged_records_are_projected_or_refused_as_a_straight_fold_says(
    projector: Program, topics: Topics, tables: Tables, batch_id: int, seed: int
) -> None:
    topic = topics.create(batch_id)
    topics.announce(batch_id)
    topics.write(topic, damaged(batch_id, random.Random(seed)))
    await tables.wait_for(batch_id, RECORDS)
    found, wanted = await tables.of_batch(batch_id), expected(batch_id, topics.read(topic, at_least=RECORDS))
    assert len(wanted.log) > 1000
    assert len(wanted.letters) > 1000
    assert differences(found, wanted) == []


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("timestamp", '"2026-11-24T10:00:00+23:59"'),
        ("timestamp", '"1970-01-01T00:00:00-23:59"'),
        ("timestamp", '"9000-12-31T23:59:59.999999999-12:00"'),
        ("durationMs", "5e-324"),
        ("durationMs", "1.7976931348623157e308"),
        ("gpuIp", '"\\\\N"'),
        ("fileName", '"\\\\."'),
        ("fileName", '"\u0085\u2028\\r\\n\\t\\b\\f"'),
        ("fileName", '"' + "".join(map(chr, range(0x4E00, 0x4E00 + 682))) + '"'),
        ("response", '"\\ud800"'),
        ("response", "-1e-200000"),
        ("response", '{"a":"\\u0000","a":1e200000}'),
        ("response", '"\\\\u0000"'),
    ],
)
async def test_a_value_at_the_edge_of_what_postgresql_holds_stops_no_batch(
    projector: Program, topics: Topics, tables: Tables, batch_id: int, field: str, text: str
) -> None:
    topic, other = topics.create(batch_id), batch_id + 1
    topics.create(other)
    topics.announce(batch_id)
    topics.announce(other)
    head = f'{{"eventType":"file_complete","batchId":{batch_id},"stage":"{"音" * 100}"'
    edge = head + ("" if field == "fileName" else ',"fileName":"a.wav"') + f',"{field}":{text}}}'
    topics.write(topic, [edge.encode(), (head + ',"fileName":"after.wav"}').encode()])
    topics.write_events(batch_events(other, 10))
    await tables.wait_for(batch_id, 2, within_s=10)
    await tables.wait_for(other, 13, within_s=10)
    assert await tables.of_batch(batch_id) == expected(batch_id, topics.read(topic, at_least=2))
