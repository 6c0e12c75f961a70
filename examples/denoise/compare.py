"""Reads the counts of a finished batch from where people see them: the stream, Postgres and the API.

All are read as of the same offset, the end of the stream; what lags behind it is waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import aiosql
import asyncpg
from headway_events import BatchState, decode, fold_batch

from examples.denoise.counts import Counts, StageCounts
from examples.denoise.errors import DemoError

WITHIN_S = 60.0  # for each source; the projector is usually level within a second
PAUSE_S = 0.1
REMEDY = "`make up` says what is not healthy, and the logs beside it say why."
LONGEST_LINE = 2 * 1024 * 1024  # bytes; an event is at most 1 MiB

QUERIES = aiosql.from_path(Path(__file__).with_name("queries.sql"), "asyncpg")


@dataclass(frozen=True)
class Sources:
    """Where to ask."""

    database_url: str
    gateway_url: str


async def read_counts(sources: Sources, batch_id: int) -> dict[str, StageCounts]:
    """The counts of each stage's current run by source, all as of the end of the stream.

    Raises:
        DemoError: a source could not be read, or was not level in time.
    """
    try:
        async with _within("the stream's end"):
            from_stream, end = await _from_stream(sources.gateway_url, batch_id)
        async with _within(f"offset {end} in Postgres"):
            postgres = await _from_postgres(sources.database_url, batch_id, end)
        async with _within(f"offset {end} in the API"):
            from_api = await _from_api(sources.gateway_url, batch_id, end)
    except (OSError, aiohttp.ClientError, asyncpg.PostgresError) as error:
        raise DemoError(f"The counts could not be read: {error}. {REMEDY}") from error
    return {**postgres, "/api": from_api, "SSE fold": from_stream}


@asynccontextmanager
async def _within(what: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(WITHIN_S):
            yield
    except TimeoutError:
        raise DemoError(f"Waited {WITHIN_S:g} s in vain for {what}. {REMEDY}") from None


async def _from_stream(gateway_url: str, batch_id: int) -> tuple[StageCounts, int]:
    """What the events of the stream fold into, as in the dashboard, and the offset after the last."""
    batch, end = BatchState(), 0
    async with aiohttp.ClientSession(read_bufsize=LONGEST_LINE) as session:
        url = f"{gateway_url}/api/stream"
        async with session.get(url, params={"batchId": str(batch_id)}, timeout=aiohttp.ClientTimeout()) as response:
            response.raise_for_status()
            async for offset, data in _messages(response.content):
                batch = fold_batch(batch, decode(data, batch_id=batch_id))
                end = offset + 1
    current = {stage: runs[-1] for stage, runs in batch.stages.items()}
    return {stage: Counts(run.total, run.processed, run.errors) for stage, run in current.items()}, end


async def _messages(lines: aiohttp.StreamReader) -> AsyncIterator[tuple[int, bytes]]:
    """The offset and the data of each message: of Server-Sent Events as much as Headway uses."""
    offset = -1
    async for line in lines:
        field, _, value = line.rstrip(b"\n").partition(b": ")
        if field == b"id":
            offset = int(value)
        elif field == b"data":
            yield offset, value


async def _from_postgres(database_url: str, batch_id: int, end: int) -> dict[str, StageCounts]:
    connection = await asyncpg.connect(database_url)
    try:
        await _level(lambda: QUERIES.next_offset(connection, batch_id=batch_id), end)
        return {
            "Postgres": _by_stage([row async for row in QUERIES.kept_counts(connection, batch_id=batch_id)]),
            "Postgres log": _by_stage([row async for row in QUERIES.logged_counts(connection, batch_id=batch_id)]),
        }
    finally:
        await connection.close()


async def _from_api(gateway_url: str, batch_id: int, end: int) -> StageCounts:
    async with aiohttp.ClientSession(gateway_url, raise_for_status=True) as session:

        async def ask() -> Any:
            async with session.get(f"/api/batches/{batch_id}") as response:
                return await response.json()

        async def next_offset() -> int:
            return int((await ask())["nextOffset"])

        await _level(next_offset, end)
        return _by_stage((await ask())["stages"])


async def _level(next_offset: Callable[[], Awaitable[int | None]], end: int) -> None:
    while (await next_offset() or 0) < end:  # noqa: ASYNC110 - what is waited for is in another process
        await asyncio.sleep(PAUSE_S)


def _by_stage(rows: list[Any]) -> StageCounts:
    return {row["stage"]: Counts(row["total"], row["processed"], row["errors"]) for row in rows}
