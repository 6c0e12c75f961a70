"""The gateway's only way to PostgreSQL: reads the projector's views, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, Final

import aiosql
import asyncpg
from headway_events import BatchState, Outcome, StageState, Status, snapshot

from headway_gateway.errors import DatabaseAway

CONNECTIONS: Final = 8
TIMEOUT_S: Final = 10.0
CONNECT_TIMEOUT_S: Final = 3.0
LAST: Final = (datetime.max.replace(tzinfo=UTC), 2**63 - 1)

_queries: Final[Any] = aiosql.from_path(
    str(files("headway_gateway") / "queries.sql"), "asyncpg", mandatory_parameters=False
)

AWAY: Final = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.UndefinedTableError,  # no projector has made the tables yet
    asyncpg.UndefinedColumnError,  # the projectors are of an older version than this gateway, which is about to change
)


class Store:
    """Connections made when they are needed: a gateway starts, and streams, without PostgreSQL.

    Every method raises DatabaseAway when PostgreSQL does not answer.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @classmethod
    async def open(cls, database_url: str) -> Store:
        """A store that is not connected yet."""
        pool = await asyncpg.create_pool(
            database_url,
            min_size=0,
            max_size=CONNECTIONS,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=TIMEOUT_S,
            server_settings={"application_name": "headway-gateway", "default_transaction_read_only": "on"},
        )
        return cls(pool)

    async def close(self) -> None:
        """Close the connections."""
        self._pool.terminate()

    async def ping(self) -> None:
        """Ask PostgreSQL for nothing."""
        async with self._connection() as connection:
            await _queries.ping(connection)

    async def batch(self, batch_id: int) -> asyncpg.Record | None:
        """A row of batchOverview, or None."""
        async with self._connection() as connection:
            row: asyncpg.Record | None = await _queries.batch_overview(connection, batch_id=batch_id)
            return row

    async def batches(
        self, *, after: tuple[datetime, int] | None, search: str, most: int, allowed: Collection[int] | None
    ) -> tuple[list[asyncpg.Record], list[asyncpg.Record]]:
        """A page of batches (of those allowed, if it is not all), newest first, and the runs of their stages."""
        created, batch_id = after or LAST
        pattern = "%" + search.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_") + "%"
        async with self._connection() as connection:
            batches = await _rows(
                _queries.batch_page(
                    connection,
                    created_before=created,
                    batch_before=batch_id,
                    pattern=pattern,
                    most=most,
                    allowed=None if allowed is None else list(allowed),
                )
            )
            return batches, await self._runs(connection, [row["batchid"] for row in batches])

    async def runs(self, batch_id: int) -> list[asyncpg.Record]:
        """Every run of every stage of a batch, in the order in which they began."""
        async with self._connection() as connection:
            return await self._runs(connection, [batch_id])

    async def live_batches(self, *, since: datetime, most: int) -> list[int]:
        """The batches under way that had an event at `since` or later, the latest first."""
        async with self._connection() as connection:
            rows = await _rows(_queries.live_batches(connection, since=since, most=most))
        return [row["batchid"] for row in rows]

    async def snapshot(self, batch_id: int) -> dict[str, Any]:
        """The batch as the tables have it, at one moment: the data of the `snapshot` message."""
        async with self._connection() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            overview = await _queries.batch_overview(connection, batch_id=batch_id)
            if overview is None:
                return snapshot(BatchState(), batch_id=batch_id, offset=0)
            batch = BatchState(closed=overview["closed"])
            for row in await self._runs(connection, [batch_id]):
                if row["iscurrent"]:
                    state = run_state(row)
                    if not state.status.is_final:
                        outcomes = await _rows(
                            _queries.outcomes_of_run(connection, batch_id=batch_id, stage=row["stage"], run=row["run"])
                        )
                        state.outcomes = {one["filename"]: Outcome(one["outcome"]) for one in outcomes}
                    batch.stages[row["stage"]] = [state]
            return snapshot(batch, batch_id=batch_id, offset=overview["nextoffset"])

    async def log_range(
        self, batch_id: int, first: int, end: int, most: int, most_bytes: int
    ) -> list[tuple[int, bytes]]:
        """Offset and value of the first events from `first` to below `end`: `most` of them, or about so many bytes."""
        async with self._connection() as connection:
            rows = await _rows(
                _queries.log_range(
                    connection, batch_id=batch_id, first_offset=first, end_offset=end, most=most, most_bytes=most_bytes
                )
            )
        return [(row["topicoffset"], row["value"].encode()) for row in rows]

    async def log_page(
        self,
        batch_id: int,
        *,
        after: int,
        before: int,
        stage: str | None,
        event_type: str | None,
        downwards: bool,
        most: int,
    ) -> list[tuple[int, bytes]]:
        """Offset and value of events between two offsets (neither included)."""
        query = _queries.log_page_down if downwards else _queries.log_page_up
        async with self._connection() as connection:
            rows = await _rows(
                query(
                    connection,
                    batch_id=batch_id,
                    after=after,
                    before=before,
                    stage=stage,
                    event_type=event_type,
                    most=most,
                )
            )
        return [(row["topicoffset"], row["value"].encode()) for row in rows]

    async def offset_since(self, batch_id: int, since: datetime) -> int | None:
        """The first offset of an event that happened at `since` or later, or None."""
        async with self._connection() as connection:
            offset: int | None = await _queries.offset_since(connection, batch_id=batch_id, since=since)
            return offset

    async def _runs(self, connection: Any, batch_ids: Sequence[int]) -> list[asyncpg.Record]:
        return await _rows(_queries.runs_of(connection, batch_ids=list(batch_ids)))

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        try:
            async with self._pool.acquire(timeout=TIMEOUT_S) as connection:
                yield connection
        except AWAY as error:
            raise DatabaseAway(f"PostgreSQL does not answer: {type(error).__name__}: {error}") from error


def run_state(row: asyncpg.Record) -> StageState:
    """The state of the run in a row of stageRun, without its outcomes."""
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


async def _rows(query: Any) -> list[asyncpg.Record]:
    """aiosql gives an awaitable or an asynchronous generator, by version."""
    return [row async for row in query] if hasattr(query, "__aiter__") else list(await query)
