"""How long does an event take to its committed row, at a thousand files a second in one batch?

From the call of `EventLogger.file_complete` to the moment at which another session of PostgreSQL first sees the batch's
offset past the event. That session asks again a millisecond after each answer, so that a figure errs by some two
milliseconds, always upwards.

Beside it: the way through Kafka alone. Records of the same shape at the same rate, from the call of a bare
confluent-kafka `produce` (with the settings of `headway`) to the moment at which a bare consumer has the record.
"""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import asyncpg
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from headway import EventLogger

from bench.backlog import LOG, make_known, new_batches
from bench.events import batch_records, create_topics, producer_settings
from bench.figures import Bound, Figure
from bench.stack import BenchStack
from infra.local.service import Service

ROUNDS = 3
FILES = 10_000  # in ten seconds
PAUSE_S = 0.001  # between two calls
WARM_UP = 1_000  # calls that do not count: connections, first fetches
ASK_EVERY_S = 0.001
TIMEOUT_S = 60
P99_BELOW_MS = 250
RESPONSE = {"status": "success", "snrBefore": 4.81, "snrAfter": 17.32, "seconds": 2.5}


class Seen(NamedTuple):
    """When (`time.perf_counter`) every offset below `next_offset` was first seen to be there."""

    at: float
    next_offset: int


def measure(stack: BenchStack) -> list[Figure]:
    """Milliseconds at p50 and p99, ours and the limit's rounds in turn."""
    ours, bare = [], []
    with stack.projector() as projector, EventLogger(bootstrap=stack.bootstrap) as logger:
        for number in range(ROUNDS):
            ours.append(_to_committed_row(stack, projector, logger))
            bare.append(_to_consumer(stack, f"bare-{number}"))
    return [_figure(quantile, ours, bare) for quantile in (50, 99)]


def milliseconds(called: Mapping[int, float], seen: Sequence[Seen]) -> list[float]:
    """From the call that made an offset's event to its first sight, in the order of offsets; `seen` rises.

    Raises:
        RuntimeError: an offset was never seen.
    """
    spent = []
    position = 0
    for offset in sorted(called):
        while position < len(seen) and seen[position].next_offset <= offset:
            position += 1
        if position == len(seen):
            raise RuntimeError(f"Offset {offset} was never seen")
        spent.append((seen[position].at - called[offset]) * 1000)
    return spent


def _to_committed_row(stack: BenchStack, projector: Service, logger: EventLogger) -> list[float]:
    (batch_id,) = new_batches(1)
    make_known(stack, projector, [batch_id])

    def call(number: int) -> None:
        logger.file_complete(batch_id, "denoise", f"audio{number:07d}.wav", "10.0.0.7", RESPONSE, duration_ms=41.25)

    logger.stage_start(batch_id, "denoise", total_files=FILES)
    with paced(call, then=lambda: logger.batch_complete(batch_id)) as called:
        seen, offsets = asyncio.run(_watch(stack.database_url, batch_id))
    return milliseconds({offsets[number]: called[number] for number in range(WARM_UP, FILES)}, seen)


async def _watch(database_url: str, batch_id: int) -> tuple[list[Seen], list[int]]:
    """What a session saw until the batch was closed, and the offset of each file in the order of their names."""
    seen: list[Seen] = []
    connection = await asyncpg.connect(database_url)
    try:
        ask = await connection.prepare("SELECT nextOffset, closed FROM batch WHERE batchId = $1")
        closed = False
        async with asyncio.timeout(TIMEOUT_S):
            while not closed:
                await asyncio.sleep(ASK_EVERY_S)
                next_offset, closed = await ask.fetchrow(batch_id) or (0, False)
                if not seen or seen[-1].next_offset != next_offset:
                    seen.append(Seen(time.perf_counter(), next_offset))
        rows = await connection.fetch(
            f"SELECT topicOffset FROM {LOG} WHERE batchId = $1 AND fileName IS NOT NULL ORDER BY fileName", batch_id
        )
    finally:
        await connection.close()
    return seen, [row["topicoffset"] for row in rows]


def _to_consumer(stack: BenchStack, topic: str) -> list[float]:
    create_topics(stack, [topic])
    records = list(batch_records(FILES))
    producer = Producer(producer_settings(stack, linger_ms=5))

    def call(number: int) -> None:
        record = records[number]
        producer.produce(topic, value=record.value, key=record.key, headers=record.headers)
        producer.poll(0)

    with paced(call, then=producer.flush) as called:
        seen = consume(stack.bootstrap, topic)
    return milliseconds({number: called[number] for number in range(WARM_UP, FILES)}, seen)


def consume(bootstrap: str, topic: str) -> list[Seen]:
    """When a bare consumer has each of the first FILES records of a topic."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "unused", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, 0)])
    seen: list[Seen] = []
    deadline = time.monotonic() + TIMEOUT_S
    while not seen or seen[-1].next_offset < FILES:
        message = consumer.poll(1)
        if message is None:
            if time.monotonic() > deadline:
                raise RuntimeError(f"Expected {FILES} records within {TIMEOUT_S} s")
        elif (error := message.error()) is not None:
            raise KafkaException(error)
        else:
            seen.append(Seen(time.perf_counter(), (message.offset() or 0) + 1))
    consumer.close()
    return seen


@contextmanager
def paced(call: Callable[[int], None], *, then: Callable[[], object]) -> Iterator[list[float]]:
    """A call for each of FILES, at an even pace, in a thread, until all are made; the time of each."""
    called: list[float] = []

    def run() -> None:
        begin = time.perf_counter()
        for number in range(FILES):
            time.sleep(max(0.0, begin + number * PAUSE_S - time.perf_counter()))
            called.append(time.perf_counter())
            call(number)
        then()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield called
    finally:
        thread.join()


def _figure(quantile: int, ours: list[list[float]], bare: list[list[float]]) -> Figure:
    def at(rounds: list[list[float]]) -> list[float]:
        return [statistics.quantiles(spent, n=100)[quantile - 1] for spent in rounds]

    return Figure.of_rounds(
        f"event to committed row at 1,000 files/s, p{quantile}", "ms", at(ours), at(bare),
        "bare confluent-kafka from produce to consumer", Bound(below=P99_BELOW_MS) if quantile == 99 else None,
    )  # fmt: skip
