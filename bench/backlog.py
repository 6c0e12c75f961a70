"""At which rate does a projector work through what was written while it was away?

Batches are announced to a projector, which then stops; they are written; it starts again. The rate is taken from
PostgreSQL's own times of commit (`track_commit_timestamp`), from the first transaction to the last, so that neither the
start of the program nor the questions of this one are in it. The peers (`bench/peers`) are measured in the same way.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, TypeAlias

import asyncpg

from bench.events import announce, create_topics, write
from bench.stack import BenchStack
from infra.local.errors import log_tail
from infra.local.service import Service

ASK_EVERY_S = 0.25  # seldom: asking is work for the machine that is measured
STANDSTILL_S = 180.0  # a bad minute is a figure; longer is a failure
LOG = "batchExecutionLog"
PROJECTED = "SELECT coalesce(sum(nextOffset), 0)::bigint FROM batch"  # events in the tables

Worker: TypeAlias = Callable[[BenchStack, Sequence[int]], AbstractContextManager[Service]]


class Commit(NamedTuple):
    """One transaction of those that wrote a table."""

    at: float  # seconds since 1970
    rows: int


def rate(commits: Sequence[Commit], since: float | None = None) -> float:
    """Rows a second, from a moment to the last commit; by default from the first commit, whose rows do not count then.

    Raises:
        ValueError: there are fewer than two commits, and no moment is given.
    """
    if since is None:
        if len(commits) < 2:
            raise ValueError(f"A rate needs two commits, found {len(commits)}")
        since, commits = commits[0].at, commits[1:]
    return sum(commit.rows for commit in commits) / (commits[-1].at - since)


async def commits(database_url: str, table: str = LOG) -> list[Commit]:
    """The transactions that wrote the rows of a table, in the order of their commits."""
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch(
            f"""SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 AS at, count(*) AS rows
                FROM {table} GROUP BY xmin ORDER BY 1"""
        )
    finally:
        await connection.close()
    return [Commit(row["at"], row["rows"]) for row in rows]


def new_batches(how_many: int) -> list[int]:
    """Batches that nobody knows."""
    return [random.getrandbits(62) for _ in range(how_many)]


def make_known(stack: BenchStack, projector: Service, batch_ids: Sequence[int]) -> None:
    """Make empty batches known to a running projector, and wait until it knows them."""
    create_topics(stack, [stack.names.of_batch(batch_id) for batch_id in batch_ids])
    announce(stack, batch_ids)
    known = f"SELECT count(*) FROM batch WHERE batchId IN ({', '.join(map(str, batch_ids))})"
    until(projector, stack.database_url, known, len(batch_ids))


def until_projected(stack: BenchStack, projector: Service, events: int) -> None:
    """Wait until the tables hold so many events in all."""
    until(projector, stack.database_url, PROJECTED, events)


def _projector(stack: BenchStack, _: Sequence[int]) -> AbstractContextManager[Service]:
    return stack.projector()


def projected_backlog(stack: BenchStack, batches: int, files: int, by: Worker = _projector) -> list[Commit]:
    """The transactions over so many new batches of so many files each, in an installation that knows no others.

    Args:
        stack: an installation without other batches.
        batches: how many, written at once.
        files: in each.
        by: what works through them.

    Raises:
        RuntimeError: some events are not in the log; fast and wrong is worth nothing.
    """
    batch_ids = new_batches(batches)
    with stack.projector() as projector:
        make_known(stack, projector, batch_ids)
    events = write(stack, batch_ids, files) * batches
    asyncio.run(stack.execute("CHECKPOINT"))  # so that every round begins as far from the next one
    with by(stack, batch_ids) as worker:
        until_projected(stack, worker, events)
    found = asyncio.run(commits(stack.database_url))
    if (rows := sum(commit.rows for commit in found)) != events:
        raise RuntimeError(f"Expected {events} events in the log, found {rows}")
    return found


def until(service: Service, database_url: str, query: str, wanted: int, *, every_s: float = ASK_EVERY_S) -> None:
    """Wait until a query's one value is what is wanted of a service.

    Raises:
        RuntimeError: the service has ended, or the value does not change any more.
    """
    asyncio.run(_until(service, database_url, query, wanted, every_s))


async def _until(service: Service, database_url: str, query: str, wanted: int, every_s: float) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        found, moved_at = None, time.monotonic()
        while found != wanted:
            before, found = found, await connection.fetchval(query)
            if found != before:
                moved_at = time.monotonic()
            elif service.process() is None or time.monotonic() - moved_at > STANDSTILL_S:
                state = "has ended" if service.process() is None else f"stands still for {STANDSTILL_S:g} s"
                log = log_tail(service.log, 0)
                raise RuntimeError(f"{service.name} {state} at {found} of {wanted}, by {query}. Its log:\n{log}")
            await asyncio.sleep(every_s)
    finally:
        await connection.close()
