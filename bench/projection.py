"""How many events a second does one projector move from topics to tables, from one batch and from many at once?

Beside the one batch: bare COPY of the same raw-log rows, as they stand in the log, into an equal, empty table with the
same indexes, in the text format. Ours writes file outcomes, counts and the offset in the same transactions.

Beside the many: the one batch. The same total of events over 500 batches was written at once (the first event of each,
then the second of each, ...) while the projector was away: what is measured is the projector and not the writer.

The servers are the same, rounds go in turn, and each begins with empty tables: see `backlog.py`.
"""

from __future__ import annotations

import asyncio
import io
import time

import asyncpg

from bench.backlog import LOG, projected_backlog, rate
from bench.figures import Bound, Figure
from bench.stack import BenchStack

ROUNDS = 3
FILES = 490_194  # 500,000 events
BATCHES = 500
FILES_OF_MANY = 978  # 1,000 events in each


def measure(stack: BenchStack) -> list[Figure]:
    """Events a second: one batch beside bare COPY, many batches beside one."""
    one, bare, many = [], [], []
    for _ in range(ROUNDS):
        with stack.apart() as own:
            one.append(rate(projected_backlog(own, 1, FILES)))
            bare.append(asyncio.run(_copy_rate(own.database_url)))
        with stack.apart() as own:
            many.append(rate(projected_backlog(own, BATCHES, FILES_OF_MANY)))
    return [
        Figure.of_rounds(
            f"projection of a batch of {FILES:,} files", "events/s", one, bare,
            "bare COPY of the same rows, indexes and all", Bound(ratio_at_least=0.5),
        ),
        Figure.of_rounds(
            f"projection of {BATCHES} batches at once of {FILES_OF_MANY:,} files each", "events/s", many, one,
            "the one batch", Bound(ratio_at_least=0.8),
        ),
    ]  # fmt: skip


async def _copy_rate(database_url: str) -> float:
    """Rows a second of one COPY of the whole log."""
    connection = await asyncpg.connect(database_url)
    try:
        rows = io.BytesIO()
        await connection.copy_from_query(f"SELECT * FROM {LOG} ORDER BY batchId, topicOffset", output=rows)
        await connection.execute(f"CREATE TABLE bareCopy (LIKE {LOG} INCLUDING ALL)")
        await connection.execute("CHECKPOINT")
        rows.seek(0)
        begin = time.perf_counter()
        status = await connection.copy_to_table("barecopy", source=rows)
        return int(status.removeprefix("COPY ")) / (time.perf_counter() - begin)
    finally:
        await connection.close()
