"""`GET /api/batches`, `/api/batches/{id}` and `/api/batches/{id}/stages`: how batches and their stages stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import asyncpg
import msgspec
from aiohttp import web
from headway_events import BatchState, Status, batch_status, is_silent, percent, restore_workers, status_at

from headway_gateway import parameters, position
from headway_gateway.counts import Limits
from headway_gateway.errors import NoSuchBatch
from headway_gateway.keys import HUB, PRINCIPAL, SETTINGS, STORE
from headway_gateway.parameters import BatchesQuery, BatchPlace, given
from headway_gateway.reading import BatchSelection, ReadWorker, run_state
from headway_gateway.responses import Batch, BatchDetails, BatchPage, BusyWorker, CurrentRun, Run, StageRun, StageRuns
from headway_gateway.routes.answers import answer, answer_tagged, neighbour_address


async def batches(request: web.Request) -> web.Response:
    """A page of the batches that may be read."""
    query = parameters.read(request.query, BatchesQuery)
    place, backwards = _place(query)
    view = _View(request)
    selection = BatchSelection(
        search=query.q,
        labels=[(name, value) for name, _, value in (label.partition(":") for label in query.label)],
        statuses=query.status,
        failed=query.failed,
        silent_since=view.now - view.limits.stalled_after,
        allowed=request[PRINCIPAL].batches,
        sort=query.sort,
        upwards=query.order == "asc",
    )
    async with request.app[STORE].reading() as reading:
        page = await reading.batches(selection, place, backwards=backwards, limit=query.limit)
        runs = await reading.runs([row["batchid"] for row in page.rows])
    by_batch = {batch_id: list(some) for batch_id, some in groupby(runs, key=lambda run: run["batchid"])}
    before, after = (page.more, True) if backwards else (place is not None, page.more)
    document = BatchPage(
        batches=[Batch(**view.batch(row, by_batch.get(row["batchid"], []))) for row in page.rows],
        previous=neighbour_address(request, before=_cursor(page.rows[0])) if before and page.rows else None,
        next=neighbour_address(request, after=_cursor(page.rows[-1])) if after and page.rows else None,
    )
    return answer_tagged(request, document)


def _place(query: BatchesQuery) -> tuple[BatchPlace | None, bool]:
    """Where the page begins, and whether it is read backwards from there.

    Raises:
        InvalidParameter: it is no place.
    """
    after, before = given(query.after), given(query.before)
    if after is None and before is not None:
        return parameters.read_cursor(before, BatchPlace, "before"), True
    return None if after is None else parameters.read_cursor(after, BatchPlace), False


def _cursor(row: asyncpg.Record) -> str:
    return parameters.encode_cursor(BatchPlace(row["rank"], row["batchid"]))


async def batch(request: web.Request) -> web.Response:
    """One batch, with the current and the earlier runs of its stages, and the workers that are busy."""
    row, runs, workers = await _found(request)
    view = _View(request)
    if row is None:
        return answer(view.unprojected(position.batch_id(request.match_info["batch_id"])))
    earlier = [Run(**view.run(run)) for run in runs if not run["iscurrent"]]
    members = view.batch(row, runs) | {
        "stages": [view.current_run(run, workers.get(run["stage"], [])) for run in runs if run["iscurrent"]]
    }
    return answer_tagged(request, BatchDetails(**members, next_offset=row["nextoffset"], runs=earlier))


async def stages(request: web.Request) -> web.Response:
    """Every run of every stage."""
    row, runs, _ = await _found(request)
    view = _View(request)
    document = StageRuns(
        runs=[StageRun(**view.run(run), is_current=run["iscurrent"], first_offset=run["firstoffset"]) for run in runs]
    )
    return answer(document) if row is None else answer_tagged(request, document)


async def _found(
    request: web.Request,
) -> tuple[asyncpg.Record | None, list[asyncpg.Record], Mapping[str, list[ReadWorker]]]:
    """The batch, its runs and the busy workers by stage; no row for one of which the tables know nothing yet."""
    batch_id = position.batch_id(request.match_info["batch_id"])
    async with request.app[STORE].reading() as reading:
        row = await reading.batch(batch_id)
        if row is not None:
            return row, await reading.runs([batch_id]), await reading.busy_workers(batch_id)
    if not await request.app[HUB].has_topic(batch_id):
        raise NoSuchBatch(batch_id)
    return None, [], {}


class _View:
    """How rows look at one moment, to a gateway with these settings."""

    def __init__(self, request: web.Request) -> None:
        self.now = datetime.now(UTC)
        settings = request.app[SETTINGS]
        self.limits = Limits.of_seconds(settings.stalled_after_s, settings.worker_silent_after_s)

    def batch(self, row: asyncpg.Record, runs: list[asyncpg.Record]) -> dict[str, Any]:
        """The members of a Batch."""
        current = [run for run in runs if run["iscurrent"]]
        stages = [Run(**self.run(run)) for run in current]
        state = BatchState(stages={run["stage"]: [run_state(run)] for run in current}, closed=row["closed"])
        status = batch_status(state)
        if status is Status.PROCESSING and any(stage.status is Status.STALLED for stage in stages):
            status = Status.STALLED
        return {
            **_addresses(row["batchid"]),
            "name": row["name"],
            "labels": msgspec.json.decode(row["labels"]),
            "status": status,
            "created_at": row["createdat"],
            "first_event_at": row["firsteventat"],
            "last_event_at": row["lasteventat"],
            "closed": row["closed"],
            "dead_letters": row["deadletters"],
            "archived_at": row["archivedat"],
            "log_dropped_at": row["logdroppedat"],
            "problem": row["problem"],
            "stalled_after_s": int(self.limits.stalled_after.total_seconds()),
            "worker_silent_after_s": int(self.limits.silent_after.total_seconds()),
            "stages": stages,
        }

    def run(self, row: asyncpg.Record) -> dict[str, Any]:
        """The members of a Run."""
        state = run_state(row)
        return {
            "stage": row["stage"],
            "run": state.run,
            "status": status_at(state, self.now, self.limits.stalled_after),
            "total": state.total,
            "processed": state.processed,
            "errors": state.errors,
            "attempts": state.attempts,
            "late": state.late,
            "percent": percent(state),
            "started_at": state.started_at,
            "updated_at": state.updated_at,
            "ended_at": state.ended_at,
        }

    def current_run(self, row: asyncpg.Record, workers: Sequence[ReadWorker]) -> CurrentRun:
        """The last run of a stage, with its busy workers."""
        state = run_state(row)
        restore_workers(state, workers)
        busy = [
            BusyWorker(
                worker=name,
                last_heard_at=worker.last_heard_at,
                files_in_flight=list(worker.files),
                silent=is_silent(worker, self.now, self.limits.silent_after),
            )
            for name, worker in state.workers.items()
        ]
        return CurrentRun(**self.run(row), workers=busy, files_left_out=state.files_left_out)

    def unprojected(self, batch_id: int) -> BatchDetails:
        """A batch that has a topic, of which the tables know nothing yet."""
        return BatchDetails(
            **_addresses(batch_id),
            name=None,
            labels={},
            status=Status.PENDING,
            created_at=None,
            first_event_at=None,
            last_event_at=None,
            closed=False,
            dead_letters=0,
            archived_at=None,
            log_dropped_at=None,
            problem=None,
            stalled_after_s=int(self.limits.stalled_after.total_seconds()),
            worker_silent_after_s=int(self.limits.silent_after.total_seconds()),
            stages=[],
            next_offset=0,
            runs=[],
        )


def _addresses(batch_id: int) -> dict[str, Any]:
    """The id, and addresses that carry it as text: JavaScript rounds numbers above 2**53."""
    return {"batch_id": batch_id, "self_": f"/api/batches/{batch_id}", "page": f"/?batchId={batch_id}"}
