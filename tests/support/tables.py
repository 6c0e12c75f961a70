"""What the tables say of a batch, and what a straight fold of its topic says that they should."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import islice, zip_longest
from typing import Any, NamedTuple

import asyncpg
from headway_events import (
    BadEvent,
    BatchComplete,
    BatchState,
    Event,
    StageComplete,
    StageProgress,
    StageStart,
    decode,
    fold_batch,
)
from headway_events.events import FILE_EVENTS, StageEvent
from msgspec import Raw

from infra.local.postgres import PostgresServer
from support.eventually import eventually
from support.jsonb import as_read, as_stored
from support.topics import Record, Topics

SHOWN = 10  # differences; the first ones tell enough, and pytest would compare two long logs for minutes


class BatchRow(NamedTuple):
    """What batchOverview says of a batch's events."""

    closed: bool
    closedat: datetime | None
    firsteventat: datetime | None
    lasteventat: datetime | None
    nextoffset: int
    deadletters: int


class RunRow(NamedTuple):
    """What stageRun says of a run."""

    firstoffset: int
    started: bool
    total: int | None
    processed: int
    errors: int
    attempts: int
    late: int
    status: str
    startedat: datetime | None
    updatedat: datetime | None
    endedat: datetime | None
    iscurrent: bool
    filesleftout: int


class WorkerRow(NamedTuple):
    """What busyWorkerView says of a worker."""

    lastheardat: datetime | None
    filesinflight: list[str]


class OutcomeRow(NamedTuple):
    """What fileOutcomeView says of a file."""

    outcome: str
    topicoffset: int
    durationms: float | None
    retried: bool


class LogRow(NamedTuple):
    """What eventLog says of an event."""

    topicoffset: int
    stage: str | None
    eventtype: str
    timestamp: datetime | None
    run: int | None
    late: bool
    value: str
    filename: str | None = None
    response: Any = None
    totalfiles: int | None = None
    processedfiles: int | None = None
    failedfiles: int | None = None
    gpuip: str | None = None
    durationms: float | None = None


class LetterRow(NamedTuple):
    """What deadLetterView says of a record."""

    topicoffset: int
    error: str
    message: str
    key: bytes | None
    value: bytes | None
    recordedat: datetime | None


class Projection(NamedTuple):
    """All that the views say of a batch's events."""

    batch: BatchRow
    runs: dict[tuple[str, int], RunRow]  # by stage and run
    outcomes: dict[tuple[str, int, str], OutcomeRow]  # by stage, run and file
    workers: dict[tuple[str, int, str], WorkerRow]  # by stage, run and worker
    log: list[LogRow]  # in the order of their ids
    letters: list[LetterRow]
    gaps: list[tuple[int, int]]  # from, to


class Tables:
    """The views of the projection, for one test."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection

    async def next_offset(self, batch_id: int) -> int:
        """The batch's checkpoint; -1 if the batch is not known."""
        try:
            found = await self.connection.fetchval("SELECT nextOffset FROM batchOverview WHERE batchId = $1", batch_id)
        except asyncpg.UndefinedTableError:
            return -1
        return -1 if found is None else int(found)

    async def projected(self, batch_ids: Collection[int]) -> int:
        """How many offsets of these batches are in the tables, all together."""
        found = await self.connection.fetchval(
            "SELECT coalesce(sum(nextOffset), 0) FROM batchOverview WHERE batchId = ANY($1)", list(batch_ids)
        )
        return int(found)

    async def wait_for_all(self, batch_ids: Collection[int], offsets: int, within_s: float = 60) -> None:
        """Wait until so many offsets of these batches are projected, all together."""
        await eventually(lambda: self.projected(batch_ids), lambda found: found >= offsets, within_s=within_s)

    async def wait_for(self, batch_id: int, offset: int, within_s: float = 60) -> None:
        """Wait until the batch is projected up to an offset."""
        await eventually(lambda: self.next_offset(batch_id), lambda found: found >= offset, within_s=within_s)

    async def overview(self, batch_id: int) -> dict[str, Any]:
        """The batch's row of batchOverview; empty if the batch is not known."""
        try:
            found = await self.connection.fetchrow("SELECT * FROM batchOverview WHERE batchId = $1", batch_id)
        except asyncpg.UndefinedTableError:
            return {}
        return dict(found or {})

    async def of_batch(self, batch_id: int) -> Projection:
        """Everything that the views say of a batch's events."""
        (batch,) = await self._rows("batchOverview", batch_id)
        runs = await self._rows("stageRun", batch_id)
        outcomes = await self._rows("fileOutcomeView", batch_id)
        workers = await self._rows("busyWorkerView", batch_id)
        log = await self._rows("eventLog", batch_id, order="id")
        letters = await self._rows("deadLetterView", batch_id, order="topicOffset")
        gaps = await self._rows("offsetGapView", batch_id, order="fromOffset")
        return Projection(
            BatchRow._make(_columns(batch, BatchRow._fields)),
            {(row["stage"], row["run"]): RunRow._make(_columns(row, RunRow._fields)) for row in runs},
            {
                (row["stage"], row["run"], row["filename"]): OutcomeRow._make(_columns(row, OutcomeRow._fields))
                for row in outcomes
            },
            {
                (row["stage"], row["run"], row["worker"]): WorkerRow(
                    row["lastheardat"], json.loads(row["filesinflight"])
                )
                for row in workers
            },
            [_with_response_read(LogRow._make(_columns(row, LogRow._fields))) for row in log],
            [LetterRow._make(_columns(row, LetterRow._fields)) for row in letters],
            [(row["fromoffset"], row["tooffset"]) for row in gaps],
        )

    async def differences(self, topics: Topics, batch_ids: Iterable[int], *, within_s: float = 60) -> list[str]:
        """Where the tables are not a straight fold of these batches' topics, once they stand at the topics' ends."""
        found: list[str] = []
        for batch_id, records in topics.read_batches(batch_ids).items():
            await self.wait_for(batch_id, records[-1].offset + 1 if records else 0, within_s)
            found += differences(await self.of_batch(batch_id), expected(batch_id, records))
        return found[:SHOWN]

    async def _rows(self, view: str, batch_id: int, *, order: str = "batchId") -> list[asyncpg.Record]:
        return list(await self.connection.fetch(f"SELECT * FROM {view} WHERE batchId = $1 ORDER BY {order}", batch_id))


@asynccontextmanager
async def tables_of(server: PostgresServer) -> AsyncIterator[Tables]:
    """A server's tables, by a connection of their own."""
    connection = await asyncpg.connect(server.database_url)
    try:
        yield Tables(connection)
    finally:
        await connection.close()


def expected(batch_id: int, records: Sequence[Record], gaps: Sequence[tuple[int, int]] = ()) -> Projection:
    """What the tables should say of a batch whose topic has had these records, those in the gaps left out."""
    fold = _StraightFold(batch_id)
    for record in records:
        if not any(begin <= record.offset < end for begin, end in gaps):
            fold.take(record)
    batch = BatchRow(
        closed=fold.batch.closed,
        closedat=fold.closed_at,
        firsteventat=fold.log[0].timestamp if fold.log else None,
        lasteventat=fold.log[-1].timestamp if fold.log else None,
        nextoffset=records[-1].offset + 1,
        deadletters=len(fold.letters),
    )
    return Projection(batch, fold.runs(), fold.outcomes, fold.workers(), fold.log, fold.letters, list(gaps))


def differences(found: Projection, wanted: Projection) -> list[str]:
    """The first rows in which the two differ, in words."""
    return list(islice(_differences(found, wanted), SHOWN))


class _StraightFold:
    """Record after record through `fold_batch`, noting what the views say beside its counts."""

    def __init__(self, batch_id: int) -> None:
        self.batch = BatchState()
        self.closed_at: datetime | None = None
        self.outcomes: dict[tuple[str, int, str], OutcomeRow] = {}
        self.log: list[LogRow] = []
        self.letters: list[LetterRow] = []
        self._batch_id = batch_id
        self._first_offsets: dict[tuple[str, int], int] = {}

    def take(self, record: Record) -> None:
        try:
            event = decode(record.value, batch_id=self._batch_id, recorded_ms=record.timestamp_ms)
        except BadEvent as error:
            self.letters.append(_letter(record, error))
            return
        run, late = None, False
        if isinstance(event, BatchComplete):
            self.batch = fold_batch(self.batch, event)
            self.closed_at = event.timestamp
        else:
            run, late = self._fold(record.offset, event)
        self.log.append(_log_row(record, event, run, late=late))

    def runs(self) -> dict[tuple[str, int], RunRow]:
        return {
            (stage, run.run): RunRow(
                self._first_offsets[stage, run.run], run.started, run.total, run.processed, run.errors, run.attempts,
                run.late, run.status, run.started_at, run.updated_at, run.ended_at, run is runs[-1],
                run.files_left_out,
            )
            for stage, runs in self.batch.stages.items()
            for run in runs
        }  # fmt: skip

    def workers(self) -> dict[tuple[str, int, str], WorkerRow]:
        return {
            (stage, run.run, name): WorkerRow(worker.last_heard_at, list(worker.files))
            for stage, runs in self.batch.stages.items()
            for run in runs
            for name, worker in run.workers.items()
        }

    def _fold(self, offset: int, event: StageEvent) -> tuple[int, bool]:
        """The run that the event belongs to, and whether it came too late to be counted."""
        stage, name = event.stage, event.file_name if isinstance(event, FILE_EVENTS) else ""
        before = self.batch.current(stage)
        late_before, outcome_before = before.late, before.outcomes.get(name)  # the fold changes its state in place
        self.batch = fold_batch(self.batch, event)
        after = self.batch.current(stage)
        self._first_offsets.setdefault((stage, after.run), offset)
        outcome = after.outcomes.get(name)
        if isinstance(event, FILE_EVENTS) and outcome is not None and outcome is not outcome_before:
            self.outcomes[stage, after.run, name] = OutcomeRow(
                outcome, offset, event.duration_ms, outcome_before is not None
            )
        return after.run, isinstance(event, FILE_EVENTS) and after.late > late_before


def _log_row(record: Record, event: Event, run: int | None, *, late: bool) -> LogRow:
    assert record.value is not None  # decode refuses it
    row = LogRow(
        topicoffset=record.offset,
        stage=None if isinstance(event, BatchComplete) else event.stage,
        eventtype=event.event_type,
        timestamp=event.timestamp,
        run=run,
        late=late,
        value=record.value.decode(),
    )
    if isinstance(event, FILE_EVENTS):
        response = as_stored(bytes(event.response)) if isinstance(event.response, Raw) else None
        return row._replace(
            filename=event.file_name, response=response, gpuip=event.gpu_ip, durationms=event.duration_ms
        )
    if isinstance(event, StageProgress | StageComplete):
        row = row._replace(processedfiles=event.processed_files, failedfiles=event.failed_files)
    if isinstance(event, StageStart | StageProgress | StageComplete):
        row = row._replace(totalfiles=event.total_files)
    return row


def _letter(record: Record, error: BadEvent) -> LetterRow:
    recorded_at = datetime.fromtimestamp(record.timestamp_ms / 1000, UTC)
    message = str(error).replace("\0", "\ufffd")  # no text of PostgreSQL holds NUL
    return LetterRow(record.offset, type(error).__name__, message, record.key, record.value, recorded_at)


def _differences(found: Projection, wanted: Projection) -> Iterator[str]:
    if found.batch != wanted.batch:
        yield f"batch: the table says {found.batch}, the fold {wanted.batch}"
    for part in ("runs", "outcomes", "workers"):
        ours, theirs = getattr(found, part), getattr(wanted, part)
        for key in ours.keys() | theirs.keys():
            if ours.get(key) != theirs.get(key):
                yield f"{part} {key}: the table says {ours.get(key)}, the fold {theirs.get(key)}"
    for part in ("log", "letters", "gaps"):
        for ours, theirs in zip_longest(getattr(found, part), getattr(wanted, part)):
            if ours != theirs:
                yield f"{part}: the table says {ours}\nthe fold {theirs}"


def _columns(row: asyncpg.Record, names: Iterable[str]) -> Iterator[Any]:
    return map(row.__getitem__, names)


def _with_response_read(row: LogRow) -> LogRow:
    return row if row.response is None else row._replace(response=as_read(row.response))
