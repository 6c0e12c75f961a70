"""How soon is a new batch projected, with thousands of batches known and hundreds being written?

From the call of `EventLogger.stage_start`, which makes the batch's topic, announces it and writes its first event, to
the moment at which another session of PostgreSQL first sees that event projected. Beside it: the same in an
installation that knows no other batch, in the same run.
"""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle

import asyncpg
from confluent_kafka import Producer
from headway import EventLogger

from bench.backlog import make_known, new_batches
from bench.events import batch_records, producer_settings
from bench.figures import Bound, Figure
from bench.meanwhile import meanwhile
from bench.stack import BenchStack

KNOWN = 2_000
LIVE = 200
NEW = 100
EVENTS_A_SECOND = 500  # of all live batches
WRITE_EVERY_S = 0.02
FILES = 10_000  # of a live batch: more than it gets
ASK_EVERY_S = 0.002
PAUSE_S = 0.1  # between two new batches
TIMEOUT_S = 60
BELOW_MS = 1_000


def measure(stack: BenchStack) -> list[Figure]:
    """Milliseconds at p50 and p99 over the new batches."""
    with stack.projector() as projector, EventLogger(bootstrap=stack.bootstrap) as logger:
        alone = asyncio.run(_delays(stack, logger))
        batch_ids = new_batches(KNOWN)
        make_known(stack, projector, batch_ids)
        with _written_meanwhile(stack, batch_ids[:LIVE]):
            among_many = asyncio.run(_delays(stack, logger))
    return [_figure(quantile, among_many, alone) for quantile in (50, 99)]


async def _delays(stack: BenchStack, logger: EventLogger) -> list[float]:
    connection = await asyncpg.connect(stack.database_url)
    try:
        ask = await connection.prepare("SELECT nextOffset FROM batch WHERE batchId = $1")
        delays = []
        for batch_id in new_batches(NEW):
            begin = time.perf_counter()
            logger.stage_start(batch_id, "denoise", total_files=1)
            async with asyncio.timeout(TIMEOUT_S):
                while not await ask.fetchval(batch_id):  # noqa: ASYNC110 - what is waited for is in another process
                    await asyncio.sleep(ASK_EVERY_S)
            delays.append((time.perf_counter() - begin) * 1000)
            await asyncio.sleep(PAUSE_S)
        return delays
    finally:
        await connection.close()


@contextmanager
def _written_meanwhile(stack: BenchStack, batch_ids: Sequence[int]) -> Iterator[None]:
    """Batches that each get an event in turn, at an even pace, until the block ends."""

    def write(ended: threading.Event) -> None:
        producer = Producer(producer_settings(stack, linger_ms=5))
        turns = ((record, batch_id) for record in batch_records(FILES) for batch_id in batch_ids)
        for record, batch_id in turns:
            producer.produce(stack.names.of_batch(batch_id), value=record.of_batch(batch_id), key=record.key)
            if next(counted) == 0:
                producer.poll(0)
                if ended.wait(WRITE_EVERY_S):
                    break
        producer.flush(TIMEOUT_S)

    counted = cycle(range(round(EVENTS_A_SECOND * WRITE_EVERY_S)))

    with meanwhile(write):
        yield


def _figure(quantile: int, ours: list[float], alone: list[float]) -> Figure:
    def at(delays: list[float]) -> float:
        return statistics.quantiles(delays, n=100)[quantile - 1]

    return Figure(
        question=f"first event of a new batch projected, {KNOWN:,} known and {LIVE} written, p{quantile}",
        unit="ms",
        ours=at(ours),
        limit=at(alone),
        limit_is="with no other batch known",
        spread=(min(ours), max(ours)),
        rounds=NEW,
        bound=Bound(below=BELOW_MS) if quantile == 99 else None,
    )
