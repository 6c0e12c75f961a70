"""What must hold after a run, whatever has happened in it. Each check gives what is wrong, in words: the first few."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from itertools import pairwise, zip_longest
from typing import Final

import asyncpg
import msgspec
from headway_events import decode
from headway_events.events import FILE_EVENTS

from soak.client import digest
from soak.watch import Watch
from soak.world import World
from support.eventually import eventually
from support.readers import streamed
from support.tables import SHOWN, Tables, differences, expected
from support.topics import Record, Topics

BATCHES_AT_ONCE: Final = 20  # whose records are in memory together
CAUGHT_UP_WITHIN_S: Final = 60.0
LAG: Final = "headway_projector_lag_events"
UNEXPECTED: Final = re.compile(r" CRITICAL | ERROR (?!aiokafka|faust)")
OUR_FRAME: Final = re.compile(r'  File "(?!.*site-packages).*/(headway\w*|soak)/')  # Faust prints tracebacks of itself
DOUBLED_OR_MISSING: Final = """
    SELECT batchId, nextOffset, rows, offsets FROM batchOverview LEFT JOIN (
        SELECT batchId, count(*) AS rows, count(DISTINCT topicOffset) AS offsets FROM eventLog GROUP BY batchId
    ) AS log USING (batchId)
    WHERE (rows, offsets) IS DISTINCT FROM (nextOffset, nextOffset)
"""


class Reported(msgspec.Struct):
    """What a worker puts into the response of each file."""

    life: int
    serial: int


async def broken(world: World, topics: Topics, watch: Watch) -> AsyncIterator[tuple[str, list[str]]]:
    """Each invariant, and the first things that are against it."""
    records: dict[int, list[Record]] = {}
    connection = await asyncpg.connect(world.postgres.database_url)
    try:
        tables = Tables(connection)
        yield "every worker has finished batches", list(_idle(world))
        yield "the tables are a straight fold of the topics", await _tables(world, topics, tables, records)
        yield "the raw log has every offset once", await _log(connection)
    finally:
        await connection.close()
    yield "no projector is behind or unwell", await _unwell(world)
    yield "each client has received each event once, in order", list(_received(world, records))
    yield "what Kafka acknowledged to a worker is in the topics, in order", list(_acknowledged(world, records))
    yield "the spools are empty, and no worker has lost an event", list(_kept(world))
    yield "no program has ended by itself, or had too much memory or too many files", list(watch.excesses())
    yield "the logs hold no traceback of our code, and no error but of its libraries", list(_logged(world))


def _idle(world: World) -> Iterator[str]:
    for number, journal in enumerate(world.journals):
        begun, finished = len(world.batches_of(number)), len(journal.entries("closed"))
        if finished == 0 or finished < begun:
            yield f"worker {number + 1} has begun {begun} batches and finished {finished}"


async def _tables(world: World, topics: Topics, tables: Tables, records: dict[int, list[Record]]) -> list[str]:
    """Compare batch by batch; `records` gets what the topics hold."""
    found: list[str] = []
    batch_ids = world.batch_ids
    for begin in range(0, len(batch_ids), BATCHES_AT_ONCE):
        of_batches = await asyncio.to_thread(topics.read_batches, batch_ids[begin : begin + BATCHES_AT_ONCE])
        records.update(of_batches)
        for batch_id, of_batch in of_batches.items():
            await tables.wait_for(batch_id, len(of_batch), CAUGHT_UP_WITHIN_S)
            found += differences(await tables.of_batch(batch_id), expected(batch_id, of_batch))
    return found[:SHOWN]


async def _log(connection: asyncpg.Connection) -> list[str]:
    return [str(dict(row)) for row in await connection.fetch(DOUBLED_OR_MISSING)]


async def _unwell(world: World) -> list[str]:
    found = []
    for projector in world.projectors:
        try:
            await eventually(lambda: projector.metric(LAG), lambda lag: lag == 0)  # noqa: B023
            await eventually(projector.healthy, lambda wrong: wrong is None)
        except AssertionError as error:
            found.append(f"{projector.name}: {error}")
    return found


def _received(world: World, records: Mapping[int, list[Record]]) -> Iterator[str]:
    for number in range(len(world.clients)):
        for batch_id in world.batches_of(number):
            file = world.received(number) / str(batch_id)
            lines = file.read_text().splitlines() if file.exists() else []
            wanted = [_line(batch_id, record) for record in records[batch_id]]
            for place, (ours, theirs) in enumerate(zip_longest(lines, wanted)):
                if ours != theirs:
                    yield f"client {number + 1}, batch {batch_id}, message {place}: {ours}; the topic has {theirs}"
                    break


def _line(batch_id: int, record: Record) -> str:
    """What a client notes of an event."""
    event = decode(record.value, batch_id=batch_id, recorded_ms=record.timestamp_ms)
    return f"{record.offset} {event.event_type} {digest(streamed(record))}"


def _acknowledged(world: World, records: Mapping[int, list[Record]]) -> Iterator[str]:
    for number, journal in enumerate(world.journals):
        serials: dict[int, dict[int, None]] = defaultdict(dict)  # of each life, as they first come
        for batch_id in world.batches_of(number):
            for reported in _reports(batch_id, records[batch_id]):
                serials[reported.life].setdefault(reported.serial)
        for life, of_life in serials.items():
            for one, other in pairwise(of_life):
                if one > other:
                    yield f"worker {number + 1}, life {life}: event {other} comes after {one}"
        for life, last in journal.entries("acknowledged"):
            lost = [serial for serial in range(1, last + 1) if serial not in serials[life]]
            if lost:
                yield f"worker {number + 1}, life {life}: {len(lost)} events up to {last} are lost: {lost[:SHOWN]}"


def _reports(batch_id: int, records: Iterable[Record]) -> Iterator[Reported]:
    for record in records:
        event = decode(record.value, batch_id=batch_id, recorded_ms=record.timestamp_ms)
        if isinstance(event, FILE_EVENTS) and isinstance(event.response, msgspec.Raw):
            yield msgspec.json.decode(event.response, type=Reported)


def _kept(world: World) -> Iterator[str]:
    for segment in world.spools.glob("*/*.spool"):
        yield f"{segment} is left, of {segment.stat().st_size} bytes"
    for number, journal in enumerate(world.journals):
        for (lost,) in journal.entries("lost"):
            if lost:
                yield f"worker {number + 1} has lost {lost} events"


def _logged(world: World) -> Iterator[str]:
    for log in world.logs():
        for number, line in enumerate(log.read_text(errors="replace").splitlines(), start=1):
            if UNEXPECTED.search(line) or OUR_FRAME.match(line):
                yield f"{log.name}:{number}: {line}"
