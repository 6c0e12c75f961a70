"""What PostgreSQL says at one moment: the reads of one transaction, over the projector's views."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any, Final, Literal, NamedTuple

import aiosql
import asyncpg
from headway_events import StageState, Status

from headway_gateway.durations import Bin
from headway_gateway.groups import Group
from headway_gateway.parameters import LARGEST_OFFSET, BatchPlace, FilePlace, Sort

PAGE_BYTES: Final = 8 * 1024 * 1024  # of records in one page: what a request can make this process hold
EXPORT_ROWS: Final = 2000
EXPORT_BYTES: Final = 1024 * 1024  # of records in one read of an export; one record can be as large
EXAMPLES: Final = 5  # files of a group of errors
SAMPLED_BYTES: Final = 4096  # of a record that is only looked at for its worker
FIRST: Final = (datetime.min.replace(tzinfo=UTC), -(2**63))
LAST: Final = (datetime.max.replace(tzinfo=UTC), 2**63 - 1)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

queries: Final[Any] = aiosql.from_path(
    str(files("headway_gateway") / "queries.sql"), "asyncpg", mandatory_parameters=False
)


class Page(NamedTuple):
    """Rows, and whether more follow."""

    rows: list[asyncpg.Record]
    more: bool


class BatchSelection(NamedTuple):
    """Which batches are listed, and in which order."""

    search: str
    labels: Sequence[tuple[str, str]]
    statuses: Sequence[Status]
    failed: bool  # only those with failed files
    silent_since: datetime  # those under way that were last heard of before are stalled
    allowed: Collection[int] | None  # None: all
    sort: Sort
    upwards: bool


class ReadWorker(NamedTuple):
    """A worker that has files in flight."""

    worker: str
    last_heard_at: datetime | None
    files_in_flight: list[str]


class Reading:
    """One transaction on a connection."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def batch(self, batch_id: int) -> asyncpg.Record | None:
        """A row of batchOverview, or None."""
        row: asyncpg.Record | None = await queries.batch_overview(self._connection, batch_id=batch_id)
        return row

    async def next_offset(self, batch_id: int) -> int:
        """How many offsets of the batch's topic are in the tables; 0 of a batch they know nothing of."""
        row = await self.batch(batch_id)
        return 0 if row is None else int(row["nextoffset"])

    async def batches(
        self, selection: BatchSelection, place: BatchPlace | None, *, backwards: bool, limit: int
    ) -> Page:
        """A page of batches in the order of the selection, after a place or, backwards, before it."""
        upwards = selection.upwards != backwards
        given = {
            "pattern": _pattern(selection.search),
            "labels": [json.dumps({name: value}) for name, value in selection.labels],
            "allowed": None if selection.allowed is None else list(selection.allowed),
            "most": limit + 1,
        }
        if selection.sort == "newest" and not selection.statuses and not selection.failed:
            created_at, batch_id = (
                (FIRST if upwards else LAST) if place is None else (_time(place.rank), place.batch_id)
            )
            page = queries.batch_page_up if upwards else queries.batch_page_down
            found = await rows(page(self._connection, created_at=created_at, batch_id=batch_id, **given))
        else:
            found = await rows(
                queries.batch_page_ranked(
                    self._connection,
                    sort=selection.sort,
                    direction=1 if upwards else -1,
                    mirror=0 if upwards else -1,
                    rank=(-math.inf if upwards else math.inf) if place is None else place.rank,
                    batch_id=0 if place is None else place.batch_id,
                    failed=selection.failed,
                    statuses=list(selection.statuses) or None,
                    silent_since=selection.silent_since,
                    **given,
                )
            )
        page_found = _page(found, limit)
        return Page(page_found.rows[::-1], page_found.more) if backwards else page_found

    async def runs(self, batch_ids: Sequence[int]) -> list[asyncpg.Record]:
        """Every run of every stage of these batches, in the order in which they began."""
        return await rows(queries.runs_of(self._connection, batch_ids=list(batch_ids)))

    async def busy_workers(self, batch_id: int) -> dict[str, list[ReadWorker]]:
        """The workers of a batch that have files in flight, by stage, those heard the longest ago first."""
        found: dict[str, list[ReadWorker]] = {}
        for row in await rows(queries.busy_workers_of(self._connection, batch_id=batch_id)):
            files = json.loads(row["filesinflight"])
            found.setdefault(row["stage"], []).append(ReadWorker(row["worker"], row["lastheardat"], files))
        return found

    async def outcomes(self, batch_id: int, stage: str, run: int) -> list[asyncpg.Record]:
        """How the files of a run stand."""
        return await rows(queries.outcomes_of_run(self._connection, batch_id=batch_id, stage=stage, run=run))

    async def events(
        self,
        batch_id: int,
        *,
        after: int,
        before: int,
        stage: str | None,
        event_type: str | None,
        downwards: bool,
        limit: int,
    ) -> Page:
        """Events between two offsets, neither included."""
        page = queries.log_page_down if downwards else queries.log_page_up
        found = await rows(
            page(
                self._connection,
                batch_id=batch_id,
                after=after,
                before=before,
                stage=stage,
                event_type=event_type,
                most=limit + 1,
                most_bytes=PAGE_BYTES,
            )
        )
        return _page(found, limit, "value")

    async def latest_events(self, batch_id: int, *, limit: int) -> Page:
        """The last events of a batch, downwards, and whether there are others before them."""
        return await self.events(
            batch_id,
            after=-1,
            before=LARGEST_OFFSET,
            stage=None,
            event_type=None,
            downwards=True,
            limit=limit,
        )

    async def files(
        self,
        batch_id: int,
        *,
        stage: str | None,
        run: int | None,
        outcome: str | None,
        search: str,
        sort: Literal["name", "duration", "time"],
        after: FilePlace | None,
        limit: int,
    ) -> Page:
        """A page of files, of each stage's current run unless `run` says another."""
        place = after or FilePlace(float("inf"), "", "")
        by_name: dict[str, Any] = {"after_name": place.file_name, "after_stage": place.stage}
        pages: dict[str, tuple[Any, dict[str, Any]]] = {
            "name": (queries.file_page_by_name, by_name),
            "duration": (queries.file_page_by_duration, {**by_name, "after_duration": place.duration_ms}),
            "time": (queries.file_page_by_time, {"before": place.offset}),
        }
        page, given = pages[sort]
        found = await rows(
            page(
                self._connection,
                batch_id=batch_id,
                stage=stage,
                run=run,
                outcome=outcome,
                pattern=_pattern(search) if search else None,
                most=limit + 1,
                **given,
            )
        )
        return _page(found, limit)

    async def outcomes_of_file(self, batch_id: int, file_name: str) -> list[asyncpg.Record]:
        """How a file stands in each run."""
        return await rows(queries.outcomes_of_file(self._connection, batch_id=batch_id, file_name=file_name))

    async def attempts(self, batch_id: int, file_name: str, *, after: int, limit: int) -> Page:
        """Reports of a file after an offset."""
        found = await rows(
            queries.attempts_of_file(
                self._connection,
                batch_id=batch_id,
                file_name=file_name,
                after=after,
                most=limit + 1,
                most_bytes=PAGE_BYTES,
            )
        )
        return _page(found, limit, "value")

    async def error_groups(
        self, batch_id: int, *, stage: str | None, mended: bool, latest: int | None, most: int
    ) -> list[asyncpg.Record]:
        """The latest failed files of the current runs (None: all), or those that succeeded since, by their errors."""
        return await rows(
            queries.error_groups(
                self._connection,
                batch_id=batch_id,
                stage=stage,
                mended=mended,
                latest=latest,
                most=most,
                examples=EXAMPLES,
            )
        )

    async def chart_runs(self, batch_id: int, *, stage: str | None, run: int | None) -> list[asyncpg.Record]:
        """Each stage's current run, or run `run`, in the order in which they began."""
        return await rows(queries.chart_runs(self._connection, batch_id=batch_id, stage=stage, run=run))

    async def duration_bins(self, batch_id: int, stage: str, run: int, bins_a_doubling: int) -> list[Bin]:
        """How many files of a run took about so long."""
        found = await rows(
            queries.duration_bins(
                self._connection, batch_id=batch_id, stage=stage, run=run, bins_a_doubling=bins_a_doubling
            )
        )
        return sorted(Bin(*row) for row in found)

    async def outcome_spans(self, batch_id: int, stage: str, run: int, span: int) -> list[Group]:
        """The files of a run in the order in which they were decided, those of so many offsets together."""
        found = await rows(queries.outcome_spans(self._connection, batch_id=batch_id, stage=stage, run=run, span=span))
        return sorted((Group(*row) for row in found), key=lambda group: group.first_offset)

    async def spans_of_offsets(self, batch_id: int, span: int) -> list[asyncpg.Record]:
        """The files of all runs by the offset that decided, so many offsets to a span; in no order."""
        return await rows(queries.spans_of_offsets(self._connection, batch_id=batch_id, span=span))

    async def sampled_events(self, batch_id: int, *, next_offset: int, span: int) -> list[asyncpg.Record]:
        """One event of each span of so many offsets, where there is one."""
        return await rows(
            queries.sampled_events(
                self._connection, batch_id=batch_id, next_offset=next_offset, span=span, most_bytes=SAMPLED_BYTES
            )
        )

    async def history_marks(self, batch_id: int, span: int) -> list[asyncpg.Record]:
        """The records of the events that a history folds one by one, in their order."""
        return await rows(queries.history_marks(self._connection, batch_id=batch_id, span=span))

    async def history_changes(self, batch_id: int, frames: Sequence[int]) -> list[asyncpg.Record]:
        """What the files changed between these offsets, by stage, run and the place of the frame; in no order."""
        return await rows(queries.history_changes(self._connection, batch_id=batch_id, frames=frames))

    async def times_before(self, batch_id: int, frames: Sequence[int]) -> list[datetime | None]:
        """When the last event before each of these offsets happened."""
        found = await rows(queries.times_before(self._connection, batch_id=batch_id, frames=frames))
        return [row["at"] for row in found]

    async def error_files(
        self, batch_id: int, *, type_: str | None, message: str, stage: str | None, after: int, before: int, limit: int
    ) -> Page:
        """The files of one group of errors, between two offsets, neither included."""
        found = await rows(
            queries.error_files(
                self._connection,
                batch_id=batch_id,
                type=type_,
                message=message,
                stage=stage,
                after=after,
                before=before,
                most=limit + 1,
            )
        )
        return _page(found, limit)

    async def dead_letters(self, batch_id: int, *, after: int, limit: int) -> Page:
        """Records of the batch's topic that are not events, after an offset."""
        found = await rows(
            queries.dead_letter_page(
                self._connection, batch_id=batch_id, after=after, most=limit + 1, most_bytes=PAGE_BYTES
            )
        )
        return _page(found, limit, "value")

    async def next_events(self, batch_id: int, after: int) -> list[asyncpg.Record]:
        """The events after an offset, as many as one read of an export holds."""
        return await rows(
            queries.export_events(
                self._connection, batch_id=batch_id, after=after, most=EXPORT_ROWS, most_bytes=EXPORT_BYTES
            )
        )

    async def next_files(self, batch_id: int, stage: str, run: int, after: str) -> list[asyncpg.Record]:
        """The files of a run after a name, as many as one read of an export holds."""
        return await rows(
            queries.export_files(
                self._connection, batch_id=batch_id, stage=stage, run=run, after=after, most=EXPORT_ROWS
            )
        )


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
        files_left_out=row["filesleftout"],
    )


def _page(found: list[asyncpg.Record], limit: int, large: str | None = None) -> Page:
    """At most `limit` rows. A statement that bounds the bytes of a column ends early once they are full."""
    size = 0 if large is None else sum(len(_bytes(row[large])) for row in found)
    return Page(found[:limit], len(found) > limit or size >= PAGE_BYTES)


def _bytes(value: str | bytes | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""


async def rows(query: Any) -> list[asyncpg.Record]:
    """aiosql gives an awaitable or an asynchronous generator, by version."""
    return [row async for row in query] if hasattr(query, "__aiter__") else list(await query)


def _time(rank: float) -> datetime:
    """The time of a rank; the last or first that there is where it is beyond."""
    try:
        return EPOCH + timedelta(microseconds=rank)
    except OverflowError:
        return LAST[0] if rank > 0 else FIRST[0]


def _pattern(search: str) -> str:
    """What ILIKE takes for: contains this text."""
    return "%" + search.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_") + "%"
