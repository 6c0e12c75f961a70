"""The gateway's only way to PostgreSQL: reads the projector's views, and nothing else."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final

import asyncpg
from headway_events import BatchState, Outcome, restore_workers, snapshot

from headway_gateway.errors import DatabaseAway, TooManyExports
from headway_gateway.reading import Reading, queries, rows, run_state

CONNECTIONS: Final = 8
TIMEOUT_S: Final = 10.0
CONNECT_TIMEOUT_S: Final = 3.0
EXPORTS: Final = 4  # at once; each holds a connection and a snapshot of the database for as long as it takes
SESSION: Final = {
    "application_name": "headway-gateway",
    "default_transaction_read_only": "on",
    "jit": "off",  # compiling a plan for every week's partition takes longer than most questions
}
IN_ORDER: Final = {"enable_sort": "off", "enable_bitmapscan": "off"}  # pages of an export are read in the key's order:
# before a table is analyzed PostgreSQL takes it for small, and sorts all that is left of it for each page

AWAY: Final = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,  # the role may not read the views: the projector grants them when it starts
    asyncpg.UndefinedTableError,  # no projector has made the tables yet
    asyncpg.UndefinedColumnError,  # the projectors are of an older version than this gateway, which is about to change
)


class Store:
    """Connections made when they are needed: a gateway starts, and streams, without PostgreSQL.

    Every method raises DatabaseAway when PostgreSQL does not answer.
    """

    def __init__(self, pool: asyncpg.Pool, database_url: str, silence_s: int) -> None:
        self._pool = pool
        self._database_url = database_url
        self._silence_s = silence_s
        self._exports = 0

    @classmethod
    async def open(cls, database_url: str, silence_s: int) -> Store:
        """A store that is not connected yet.

        Args:
            database_url: PostgreSQL.
            silence_s: PostgreSQL ends an export's transaction of which it has heard nothing for so long: those of a
                gateway that is frozen would keep the tables from being tidied up.
        """
        pool = await asyncpg.create_pool(
            database_url,
            min_size=0,
            max_size=CONNECTIONS,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=TIMEOUT_S,
            server_settings=SESSION,
        )
        return cls(pool, database_url, silence_s)

    async def close(self) -> None:
        """Close the connections."""
        self._pool.terminate()

    async def ping(self) -> None:
        """Ask PostgreSQL for nothing."""
        async with self._connection() as connection:
            await queries.ping(connection)

    async def batch(self, batch_id: int) -> asyncpg.Record | None:
        """A row of batchOverview, or None."""
        async with self._connection() as connection:
            return await Reading(connection).batch(batch_id)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Reading]:
        """The tables as they are at one moment."""
        async with self._connection() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            yield Reading(connection)

    @asynccontextmanager
    async def exporting(self) -> AsyncIterator[Reading]:
        """The same, for as long as an export takes, on a connection that other requests do not wait for.

        Raises:
            TooManyExports: see there.
        """
        if self._exports >= EXPORTS:
            raise TooManyExports
        self._exports += 1
        try:
            connection = await asyncpg.connect(
                self._database_url,
                timeout=CONNECT_TIMEOUT_S,
                command_timeout=TIMEOUT_S,
                server_settings={**SESSION, **IN_ORDER, "idle_in_transaction_session_timeout": f"{self._silence_s}s"},
            )
            try:
                async with connection.transaction(isolation="repeatable_read", readonly=True):
                    yield Reading(connection)
            finally:
                connection.terminate()
        except AWAY as error:
            raise _away(error) from error
        finally:
            self._exports -= 1

    async def live_batches(self, *, since: datetime, most: int) -> list[int]:
        """The batches under way that had an event at `since` or later, the latest first."""
        async with self._connection() as connection:
            found = await rows(queries.live_batches(connection, since=since, most=most))
        return [row["batchid"] for row in found]

    async def snapshot(self, batch_id: int) -> dict[str, Any]:
        """The batch as the tables have it, at one moment: the data of the `snapshot` message."""
        async with self.reading() as reading:
            overview = await reading.batch(batch_id)
            if overview is None:
                return snapshot(BatchState(), batch_id=batch_id, offset=0)
            batch = BatchState(closed=overview["closed"])
            workers = await reading.busy_workers(batch_id)
            for row in await reading.runs([batch_id]):
                if row["iscurrent"]:
                    state = run_state(row)
                    if not state.status.is_final:
                        outcomes = await reading.outcomes(batch_id, row["stage"], row["run"])
                        state.outcomes = {one["filename"]: Outcome(one["outcome"]) for one in outcomes}
                        restore_workers(state, workers.get(row["stage"], []))
                    batch.stages[row["stage"]] = [state]
            return snapshot(batch, batch_id=batch_id, offset=overview["nextoffset"])

    async def log_range(
        self, batch_id: int, first: int, end: int, most: int, most_bytes: int
    ) -> list[tuple[int, bytes]]:
        """Offset and value of the first events from `first` to below `end`: `most` of them, or about so many bytes."""
        async with self._connection() as connection:
            found = await rows(
                queries.log_range(
                    connection, batch_id=batch_id, first_offset=first, end_offset=end, most=most, most_bytes=most_bytes
                )
            )
        return [(row["topicoffset"], row["value"].encode()) for row in found]

    async def offset_since(self, batch_id: int, since: datetime) -> int | None:
        """The first offset of an event that happened at `since` or later, or None."""
        async with self._connection() as connection:
            offset: int | None = await queries.offset_since(connection, batch_id=batch_id, since=since)
            return offset

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        try:
            async with self._pool.acquire(timeout=TIMEOUT_S) as connection:
                yield connection
        except AWAY as error:
            raise _away(error) from error


def _away(error: Exception) -> DatabaseAway:
    refused = isinstance(
        error, ssl.SSLError | asyncpg.InvalidAuthorizationSpecificationError | asyncpg.InsufficientPrivilegeError
    )
    remedy = ". See HEADWAY_DATABASE_URL, and docs/operate/security.md for the role it needs" if refused else ""
    return DatabaseAway(f"PostgreSQL does not answer: {type(error).__name__}: {error}{remedy}")
