"""The projector's only way to PostgreSQL: what is known of batches, and one transaction for each poll."""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, Final, NamedTuple

import aiosql
import asyncpg
import msgspec
from headway_events import Announcement, StageState, Status

from headway_projector.copy import LOG_COLUMNS, OUTCOME_COLUMNS
from headway_projector.errors import Fenced
from headway_projector.poll import BatchMemory, BatchProjection, StageMemory

CONNECTIONS: Final = 3  # one writes; the others look up and reconcile meanwhile
COMMAND_TIMEOUT_S: Final = 30.0  # below health.STUCK_AFTER_S: a hung server is waited for, not a reason to end
CONNECT_TIMEOUT_S: Final = 5.0

_queries: Final[Any] = aiosql.from_path(
    str(files("headway_projector") / "sql" / "queries.sql"), "asyncpg", mandatory_parameters=False
)


class KnownBatch(NamedTuple):
    """A batch in the tables."""

    batch_id: int
    topic: str


class Store:
    """A pool of connections. Every method may raise what asyncpg raises when PostgreSQL is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @classmethod
    async def connect(cls, database_url: str) -> Store:
        """Open the pool.

        Raises:
            OSError, asyncpg.PostgresError: PostgreSQL does not answer, or refuses.
        """
        pool = await asyncpg.create_pool(
            database_url,
            min_size=1,
            max_size=CONNECTIONS,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=COMMAND_TIMEOUT_S,
            server_settings={"application_name": "headway-projector"},
        )
        return cls(pool)

    async def close(self) -> None:
        """Close the pool."""
        await self._pool.close()

    async def register(self, announcement: Announcement) -> None:
        """Make a batch known; adds name and labels to a batch that is known already."""
        async with self._pool.acquire() as connection:
            await _queries.register_batch(
                connection,
                batch_id=announcement.batch_id,
                topic=announcement.topic,
                name=announcement.name,
                labels=msgspec.json.encode(announcement.labels).decode(),
                created_at=announcement.created_at or datetime.now(UTC),
            )

    async def ensure_log_weeks(self) -> None:
        """Make the partitions that batches registered now and next week need."""
        async with self._pool.acquire() as connection:
            await _rows(_queries.ensure_log_weeks(connection))

    async def known_batches(self) -> list[KnownBatch]:
        """Every batch in the tables."""
        async with self._pool.acquire() as connection:
            return [KnownBatch(row["batchid"], row["topic"]) for row in await _rows(_queries.known_batches(connection))]

    async def load(self, batch_ids: Collection[int]) -> list[BatchMemory]:
        """Where the projection of these batches stands; those unknown are left out."""
        async with self._pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            batches = await _rows(_queries.batches_at(connection, batch_ids=list(batch_ids)))
            runs = await _rows(_queries.current_runs(connection, batch_ids=list(batch_ids)))
        memories = {
            row["batchid"]: BatchMemory(
                batch_id=row["batchid"],
                topic=row["topic"],
                log_week=row["logweek"],
                position=row["nextoffset"],
                closed=row["closed"],
                closed_at=row["closedat"],
                first_event_at=row["firsteventat"],
                last_event_at=row["lasteventat"],
            )
            for row in batches
        }
        for row in runs:
            memories[row["batchid"]].stages[row["stage"]] = StageMemory(
                state=_state(row), first_offset=row["firstoffset"], complete=False
            )
        return list(memories.values())

    async def outcomes(self, memory: BatchMemory, stage: str, file_names: Collection[str]) -> list[tuple[str, str]]:
        """The outcome of those files of a stage's current run that have one."""
        async with self._pool.acquire() as connection:
            rows = await _rows(
                _queries.outcomes_of_files(
                    connection,
                    log_week=memory.log_week,
                    batch_id=memory.batch_id,
                    stage=stage,
                    run=memory.stages[stage].state.run,
                    file_names=list(file_names),
                )
            )
        return [(row["filename"], row["outcome"]) for row in rows]

    async def commit(self, projections: Sequence[BatchProjection]) -> None:
        """Write one poll, all or nothing, and move its batches on.

        Raises:
            Fenced: some batches do not stand where these projections begin; nothing was written.
            asyncpg.DataError: PostgreSQL cannot hold a value; nothing was written.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            await _lock(connection, projections)
            await _copy(connection, "batchexecutionlog", LOG_COLUMNS, [part.log_rows for part in projections])
            await _copy(connection, "fileoutcome", OUTCOME_COLUMNS, [part.new_outcome_rows for part in projections])
            await _write_columns(
                connection, "change_outcomes",
                ("log_weeks", "batch_ids", "stages", "runs", "file_names", "outcomes", "topic_offsets", "durations"),
                [row for part in projections for row in part.changed_outcomes],
            )  # fmt: skip
            await _write_columns(
                connection, "upsert_runs",
                ("batch_ids", "stages", "runs", "first_offsets", "started", "totals", "processed", "errors", "attempts",
                 "late", "statuses", "started_at", "updated_at", "ended_at"),
                [row for part in projections for row in part.runs],
            )  # fmt: skip
            await _write_columns(
                connection, "insert_dead_letters",
                ("topics", "topic_offsets", "batch_ids", "errors", "messages", "keys", "contents", "recorded_at"),
                [row for part in projections for row in part.dead_letters],
            )  # fmt: skip
            await _write_columns(
                connection, "advance_batches",
                ("batch_ids", "next_offsets", "closed", "closed_at", "first_event_at", "last_event_at"),
                [part.batch for part in projections],
            )  # fmt: skip

    async def skip(self, batch_id: int, from_offset: int, to_offset: int, reason: str) -> None:
        """Note that these offsets are gone, and move the batch past them."""
        async with self._pool.acquire() as connection:
            await _queries.skip_to(
                connection, batch_id=batch_id, from_offset=from_offset, to_offset=to_offset, reason=reason
            )

    async def why_not_storable(self, response: str) -> str | None:
        """Why jsonb cannot hold a response, or None when it can."""
        async with self._pool.acquire() as connection:
            try:
                await _queries.is_storable(connection, response=response)
            except asyncpg.PostgresError as error:
                return str(error)
        return None

    async def reset(self, batch_id: int) -> None:
        """Forget all that was projected of a batch."""
        async with self._pool.acquire() as connection:
            await _queries.reset_batch(connection, batch_id=batch_id)

    async def answers(self) -> None:
        """Ask PostgreSQL for nothing; raises when it does not answer."""
        await self._pool.fetchval("SELECT 1", timeout=CONNECT_TIMEOUT_S)


async def _lock(connection: Any, projections: Sequence[BatchProjection]) -> None:
    expected = {part.batch.batch_id: part.expected_offset for part in projections}
    rows = await _rows(_queries.lock_positions(connection, batch_ids=list(expected)))
    found = {row["batchid"]: row["nextoffset"] for row in rows}
    fenced = {batch_id for batch_id, offset in expected.items() if found.get(batch_id) != offset}
    if fenced:
        raise Fenced(fenced)


async def _copy(connection: Any, table: str, columns: Sequence[str], rows: Sequence[str]) -> None:
    text = "".join(rows)
    if text:
        await connection.copy_to_table(table, source=io.BytesIO(text.encode()), columns=columns)


async def _write_columns(connection: Any, query: str, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Run a statement that takes its rows as one array for each column."""
    if rows:
        columns = zip(*rows, strict=True)
        await getattr(_queries, query)(connection, **dict(zip(names, map(list, columns), strict=True)))


async def _rows(query: Any) -> list[asyncpg.Record]:
    """aiosql gives an awaitable or an asynchronous generator, by version."""
    return [row async for row in query] if hasattr(query, "__aiter__") else list(await query)


def _state(row: asyncpg.Record) -> StageState:
    return StageState(
        run=row["run"],
        started=row["started"],
        total=row["total"],
        processed=row["processed"],
        errors=row["errors"],
        attempts=row["attempts"],
        late=row["late"],
        status=Status(row["status"]),
        started_at=row["startedat"],
        updated_at=row["updatedat"],
        ended_at=row["endedat"],
    )
