"""The projector's only way to PostgreSQL: what is known of batches, and one transaction for each poll."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any, Final, Literal, NamedTuple

import asyncpg
import msgspec
from headway_events import Announcement, StageState, Status, restore_workers

from headway_projector.copy import LOG_COLUMNS, OUTCOME_COLUMNS
from headway_projector.errors import Fenced, LogDropped, NoSuchBatch
from headway_projector.poll import BatchMemory, BatchProjection, RawRecord, StageMemory
from headway_projector.rows import WorkerRow
from headway_projector.statements import load
from headway_projector.statements import rows as _rows

CONNECTIONS: Final = 4  # look up, reconcile, tidy up and alert, beside the one that writes polls
COMMAND_TIMEOUT_S: Final = 30.0  # below health.STUCK_AFTER_S: a hung server is waited for, not a reason to end
CONNECT_TIMEOUT_S: Final = 5.0
SILENT_S: Final = 5.0  # in a transaction, whose own pauses last milliseconds; below control_plane.SESSION_TIMEOUT_S
APPLICATION: Final = "headway-projector"
LOG_PAGE: Final = 5000  # records of the raw log held in memory at a time; a poll's
LOG_PAGE_BYTES: Final = 32 * 1024 * 1024
BATCH_COLUMNS: Final = (
    "batch_ids", "next_offsets", "runs", "closed", "closed_at", "first_event_at", "last_event_at",
)  # fmt: skip
ALERT_COLUMNS: Final = ("batch_ids", "runs", "kinds", "stages", "happened_at", "hooks", "labels")

_queries: Final = load("queries.sql")


class KnownBatch(NamedTuple):
    """A batch in the tables."""

    batch_id: int
    topic: str
    next_offset: int
    has_problem: bool  # and is not read until people have decided


class BatchStanding(NamedTuple):
    """What `status` shows of a batch."""

    batch_id: int
    name: str | None
    closed: bool
    next_offset: int
    dead_letters: int
    missing: int  # offsets that were gone before they could be projected
    last_event_at: datetime | None
    problem: str | None  # why it is not read until people have decided


class Store:
    """Connections to PostgreSQL. Every method may raise what asyncpg raises when PostgreSQL is away."""

    def __init__(self, pool: asyncpg.Pool, writer: asyncpg.Pool) -> None:
        self._pool = pool
        self._writer = writer

    @classmethod
    async def connect(cls, database_url: str) -> Store:
        """Open the connections.

        The one that writes polls does not wait for the disk: when PostgreSQL crashes it may take back the last polls,
        each as a whole with its offsets, and the topic has them still. They are then read again.

        Raises:
            OSError, asyncpg.PostgresError: PostgreSQL does not answer, or refuses.
        """
        pool = await _pool(database_url, CONNECTIONS)
        try:
            return cls(pool, await _pool(database_url, 1, synchronous_commit="off"))
        except BaseException:
            pool.terminate()  # who tries again would leave one behind each time
            raise

    async def close(self) -> None:
        """Close the connections."""
        await self._writer.close()
        await self._pool.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """A connection, for statements that others have."""
        async with self._pool.acquire() as connection:
            yield connection

    async def register(self, announcement: Announcement) -> bool:
        """Make a batch known; adds name and labels to one that is known already. Whether it was not."""
        async with self._pool.acquire() as connection:
            is_new: bool = await _queries.register_batch(
                connection,
                batch_id=announcement.batch_id,
                topic=announcement.topic,
                name=announcement.name,
                labels=msgspec.json.encode(announcement.labels).decode(),
                created_at=announcement.created_at or datetime.now(UTC),
            )
            return is_new

    async def ensure_log_weeks(self) -> None:
        """Make the partitions that batches registered now and next week need."""
        async with self._pool.acquire() as connection:
            await _rows(_queries.ensure_log_weeks(connection))

    async def known_batches(self) -> list[KnownBatch]:
        """Every batch in the tables."""
        async with self._pool.acquire() as connection:
            rows = await _rows(_queries.known_batches(connection))
        return [KnownBatch(*row) for row in rows]

    async def batch_standings(self) -> list[BatchStanding]:
        """Every batch in the tables, the newest first."""
        async with self._pool.acquire() as connection:
            return [BatchStanding(*row) for row in await _rows(_queries.batch_standings(connection))]

    async def load(self, batch_ids: Collection[int]) -> list[BatchMemory]:
        """Where the projection of these batches stands; those unknown are left out."""
        async with self._pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            batches = await _rows(_queries.batches_at(connection, batch_ids=list(batch_ids)))
            runs = await _rows(_queries.current_runs(connection, batch_ids=list(batch_ids)))
            workers = await _rows(_queries.busy_workers(connection, batch_ids=list(batch_ids)))
        memories = {
            row["batchid"]: BatchMemory(
                batch_id=row["batchid"],
                topic=row["topic"],
                log_week=row["logweek"],
                position=row["nextoffset"],
                committed=row["nextoffset"],
                run=row["run"],
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
        for row in workers:
            stage = memories[row["batchid"]].stages[row["stage"]]
            files = msgspec.json.decode(row["filesinflight"], type=list[str])
            restore_workers(stage.state, [(row["worker"], row["lastheardat"], files)])
            stage.workers[row["worker"]] = WorkerRow(*row)
        return list(memories.values())

    async def outcomes(
        self, memory: BatchMemory, stage: str, file_names: Collection[str] | None
    ) -> list[tuple[str, str]]:
        """The outcome of those files (None: of all) of a stage's current run that have one."""
        run = {
            "log_week": memory.log_week, "batch_id": memory.batch_id, "stage": stage,
            "run": memory.stages[stage].state.run,
        }  # fmt: skip
        async with self._pool.acquire() as connection:
            if file_names is None:
                rows = await _rows(_queries.outcomes_of_run(connection, **run))
            else:
                rows = await _rows(_queries.outcomes_of_files(connection, **run, file_names=list(file_names)))
        return [(row["filename"], row["outcome"]) for row in rows]

    async def commit(self, projections: Sequence[BatchProjection]) -> None:
        """Write one poll, all or nothing, and move its batches on.

        Raises:
            Fenced: some batches do not stand where these projections begin; nothing was written.
            asyncpg.DataError: PostgreSQL cannot hold a value; nothing was written.
        """
        async with self._writer.acquire() as connection, connection.transaction():
            await _lock(connection, projections)
            await _copy(connection, "batchexecutionlog", LOG_COLUMNS, [part.log_rows for part in projections])
            await _write_counts(connection, projections)
            await _write_columns(
                connection, "insert_dead_letters",
                ("topics", "topic_offsets", "batch_ids", "errors", "messages", "keys", "contents", "recorded_at"),
                [row for part in projections for row in part.dead_letters],
            )  # fmt: skip
            await _write_columns(connection, "advance_batches", BATCH_COLUMNS, [part.batch for part in projections])
            alerts = [row for part in projections for row in part.alerts]
            await _write_columns(connection, "raise_alerts", ALERT_COLUMNS, alerts)

    async def end_silent_holders(self) -> int:
        """End the transactions of frozen projectors that keep others from their batches; how many."""
        async with self._pool.acquire() as connection:
            ended = await _rows(_queries.end_silent_holders(connection, application=APPLICATION, silent_s=SILENT_S))
        return len(ended)

    async def skip(self, batch_id: int, from_offset: int, to_offset: int, reason: str) -> None:
        """Note that these offsets are gone, and move the batch past them."""
        async with self._pool.acquire() as connection:
            await _queries.skip_to(
                connection, batch_id=batch_id, from_offset=from_offset, to_offset=to_offset, reason=reason
            )

    async def unstorable(self, responses: Mapping[int, str]) -> dict[int, str]:
        """Why jsonb cannot hold a response, for each of those that it cannot; by the keys given."""
        async with self._pool.acquire() as connection:
            rows = await _rows(_queries.unstorable(connection, texts=list(responses.values())))
        keys = list(responses)
        return {keys[row["place"] - 1]: row["reason"] for row in rows}

    async def reset(self, batch_id: int) -> None:
        """Forget all that was projected of a batch."""
        async with self._pool.acquire() as connection:
            await _queries.reset_batch(connection, batch_id=batch_id)

    @asynccontextmanager
    async def hold(self, batch_id: int, *, lock: bool) -> AsyncIterator[HeldBatch]:
        """One batch as of one moment.

        Args:
            batch_id: the batch.
            lock: whether projectors wait with this batch meanwhile, so that its tables may be written.

        Raises:
            NoSuchBatch: the batch is not in the tables.
        """
        isolation: Literal["read_committed", "repeatable_read"] = "read_committed" if lock else "repeatable_read"
        async with self._pool.acquire() as connection, connection.transaction(isolation=isolation, readonly=not lock):
            if lock:
                await _rows(_queries.lock_positions(connection, batch_ids=[batch_id]))
            rows = await _rows(_queries.batches_at(connection, batch_ids=[batch_id]))
            if not rows:
                raise NoSuchBatch(batch_id)
            yield HeldBatch(connection, rows[0])

    async def answers(self) -> None:
        """Ask PostgreSQL for nothing; raises when it does not answer."""
        await self._pool.fetchval("SELECT 1", timeout=CONNECT_TIMEOUT_S)


class HeldBatch:
    """One batch in one transaction: its raw log, and what the tables say of it."""

    def __init__(self, connection: Any, row: asyncpg.Record) -> None:
        self._connection = connection
        self._row = row
        self.batch_id: int = row["batchid"]
        self.topic: str = row["topic"]
        self.log_week: date = row["logweek"]
        self.next_offset: int = row["nextoffset"]
        self.closed: bool = row["closed"]

    async def log(self) -> AsyncIterator[list[RawRecord]]:
        """The events of the raw log as records of the topic, in order, some thousands at a time.

        Raises:
            LogDropped: the batch was too old to keep them.
        """
        async for rows in self.log_rows(0):
            yield [
                RawRecord(row["topicoffset"], round(row["timestamp"].timestamp() * 1000), None, row["value"].encode())
                for row in rows
            ]

    async def log_rows(self, first_offset: int) -> AsyncIterator[list[asyncpg.Record]]:
        """The rows of the raw log from an offset on, likewise."""
        if self._row["logdroppedat"] is not None:
            raise LogDropped(self.batch_id, self._row["logdroppedat"])
        page = {"log_week": self.log_week, "most": LOG_PAGE, "most_bytes": LOG_PAGE_BYTES}
        while rows := await self._ask("logged_records", first_offset=first_offset, **page):
            yield rows
            first_offset = rows[-1]["topicoffset"] + 1

    async def runs(self) -> dict[tuple[str, int], StageState]:
        """The counts of every run of every stage."""
        return {(row["stage"], row["run"]): _state(row) for row in await self._ask("all_runs")}

    async def outcomes(self) -> dict[tuple[str, int, str], str]:
        """The outcome of every file, by stage, run and name."""
        rows = await self._ask("all_outcomes", log_week=self.log_week)
        return {(row["stage"], row["run"], row["filename"]): row["outcome"] for row in rows}

    async def workers(self) -> dict[tuple[str, int, str], tuple[datetime | None, list[str]]]:
        """When each busy worker was last heard and its files in flight, by stage, run and worker."""
        rows = await _rows(_queries.busy_workers(self._connection, batch_ids=[self.batch_id]))
        return {
            (row["stage"], row["run"], row["worker"]): (row["lastheardat"], msgspec.json.decode(row["filesinflight"]))
            for row in rows
        }

    async def known_offsets(self) -> int:
        """How many offsets of the topic are in the log, among the dead letters or in a gap."""
        found: int = await _queries.known_offsets(self._connection, batch_id=self.batch_id, log_week=self.log_week)
        return found

    async def forget_counts(self) -> None:
        """Delete runs and outcomes."""
        await _queries.forget_counts(self._connection, batch_id=self.batch_id, log_week=self.log_week)

    async def write_counts(self, part: BatchProjection) -> None:
        """Write what a part of the log says but the log itself; the batch stays where it stands."""
        row = part.batch._replace(next_offset=self.next_offset)
        await _write_counts(self._connection, [part])
        await _write_columns(self._connection, "advance_batches", BATCH_COLUMNS, [row])

    async def _ask(self, query: str, **parameters: Any) -> list[asyncpg.Record]:
        return await _rows(getattr(_queries, query)(self._connection, batch_id=self.batch_id, **parameters))


async def _pool(database_url: str, connections: int, **settings: str) -> asyncpg.Pool:
    return await asyncpg.create_pool(
        database_url,
        min_size=1,
        max_size=connections,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=COMMAND_TIMEOUT_S,
        server_settings={"application_name": APPLICATION, **settings},
    )


async def _write_counts(connection: Any, projections: Sequence[BatchProjection]) -> None:
    await _copy(connection, "fileoutcome", OUTCOME_COLUMNS, [part.new_outcome_rows for part in projections])
    await _write_columns(
        connection, "change_outcomes",
        ("log_weeks", "batch_ids", "stages", "runs", "file_names", "outcomes", "topic_offsets", "durations"),
        [row for part in projections for row in part.changed_outcomes],
    )  # fmt: skip
    await _write_columns(
        connection, "upsert_runs",
        ("batch_ids", "stages", "runs", "first_offsets", "started", "totals", "processed", "errors", "attempts",
         "late", "statuses", "started_at", "updated_at", "ended_at", "files_left_out"),
        [row for part in projections for row in part.runs],
    )  # fmt: skip
    await _write_columns(
        connection, "delete_workers", ("batch_ids", "stages", "workers"),
        [row for part in projections for row in part.gone_workers],
    )  # fmt: skip
    await _write_columns(
        connection, "upsert_workers",
        ("batch_ids", "stages", "runs", "workers", "last_heard_at", "files_in_flight"),
        [row for part in projections for row in part.changed_workers],
    )  # fmt: skip


async def _lock(connection: Any, projections: Sequence[BatchProjection]) -> None:
    expected = {part.batch.batch_id: part.expected_offset for part in projections}
    rows = await _rows(_queries.lock_positions(connection, batch_ids=list(expected)))
    found = {row["batchid"]: row["nextoffset"] for row in rows}
    fenced = {batch_id for batch_id, offset in expected.items() if found.get(batch_id) != offset}
    if fenced:
        raise Fenced(fenced)


async def _copy(connection: Any, table: str, columns: Sequence[str], rows: Sequence[str]) -> None:
    """COPY rows, in one message.

    From a file asyncpg would take them in pieces, each by a thread, and leave a class that keeps the file until the
    garbage collector comes by: hundreds of megabytes.
    """
    text = "".join(rows)
    if text:
        await connection.copy_to_table(table, source=memoryview(text.encode()), columns=columns)


async def _write_columns(connection: Any, query: str, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Run a statement that takes its rows as one array for each column."""
    if rows:
        columns = zip(*rows, strict=True)
        await getattr(_queries, query)(connection, **dict(zip(names, map(list, columns), strict=True)))


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
        files_left_out=row["filesleftout"],
    )
