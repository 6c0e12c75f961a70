"""How many events a second are projected? Beside it: bare COPY of the same raw-log rows into an equal, empty table."""

from __future__ import annotations

import asyncio
import io
import random
import statistics
import time

import asyncpg

from bench.events import announce, write_batch
from bench.figures import Figure
from bench.stack import BenchStack

ROUNDS = 3
FILES = 200_000
COMMIT_TIMEOUT_S = 300


def measure(stack: BenchStack) -> list[Figure]:
    """Events a second over a batch already written, from its announcement to its last committed offset."""
    ours, bare = [], []
    with stack.projector():
        for _ in range(ROUNDS):
            batch_id = random.getrandbits(62)
            count = write_batch(stack.bootstrap, stack.names, batch_id, FILES)
            begin = time.perf_counter()
            announce(stack.bootstrap, stack.names, batch_id)
            asyncio.run(_until_projected(stack.database_url, batch_id, count))
            ours.append(count / (time.perf_counter() - begin))
            bare.append(asyncio.run(_copy_rate(stack.database_url, batch_id, count)))
    return [
        Figure(
            question=f"projection of a batch of {FILES:,} files",
            unit="events/s",
            ours=statistics.median(ours),
            limit=statistics.median(bare),
            limit_is="bare COPY of the same rows, indexes and all",
            spread=(min(ours), max(ours)),
            rounds=ROUNDS,
        )
    ]


async def _until_projected(database_url: str, batch_id: int, count: int) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        async with asyncio.timeout(COMMIT_TIMEOUT_S):
            next_offset = 0
            while next_offset != count:
                await asyncio.sleep(0.01)
                next_offset = await connection.fetchval("SELECT nextOffset FROM batch WHERE batchId = $1", batch_id)
    finally:
        await connection.close()


async def _copy_rate(database_url: str, batch_id: int, count: int) -> float:
    """Rows a second of one COPY, in the text format, of the batch's rows as they stand in the log."""
    connection = await asyncpg.connect(database_url)
    try:
        rows = io.BytesIO()
        await connection.copy_from_query(
            "SELECT * FROM batchExecutionLog WHERE batchId = $1 ORDER BY topicOffset", batch_id, output=rows
        )
        await connection.execute("CREATE TABLE bareCopy (LIKE batchExecutionLog INCLUDING ALL)")
        rows.seek(0)
        begin = time.perf_counter()
        status = await connection.copy_to_table("barecopy", source=rows)
        spent = time.perf_counter() - begin
        await connection.execute("DROP TABLE bareCopy")
        if status != f"COPY {count}":
            raise RuntimeError(f"Expected COPY {count}, got {status}")
        return count / spent
    finally:
        await connection.close()
