"""`GET /api/batches/{id}/workers`: what each worker of a batch is on, and what it has done of late."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from aiohttp import web
from headway_events import decode, is_silent
from headway_events.fold import BusyWorker as FoldedWorker

from headway_gateway import activity, parameters, position
from headway_gateway.activity import Activity
from headway_gateway.counts import Limits
from headway_gateway.errors import LogDropped, NoSuchBatch
from headway_gateway.keys import HUB, SETTINGS, STORE
from headway_gateway.parameters import WorkersQuery
from headway_gateway.reading import Page, ReadWorker
from headway_gateway.responses import FileInFlight, Worker, WorkerGpu, Workers
from headway_gateway.routes.answers import answer_tagged

LISTED_FILES: Final = 10  # of a worker; the others are counted

Busy = dict[str, list[tuple[str, ReadWorker]]]  # by worker: its stages, and what it has in flight there


async def workers(request: web.Request) -> web.Response:
    """The workers that the latest events name, and those that are busy."""
    batch_id = position.batch_id(request.match_info["batch_id"])
    query = parameters.read(request.query, WorkersQuery)
    page, busy = Page([], False), Busy()
    async with request.app[STORE].reading() as reading:
        batch = await reading.batch(batch_id)
        if batch is not None:
            if batch["logdroppedat"] is not None:
                raise LogDropped(batch_id)
            page = await reading.latest_events(batch_id, limit=query.events)
            for stage, some in (await reading.busy_workers(batch_id)).items():
                for one in some:
                    busy.setdefault(one.worker, []).append((stage, one))
    if batch is None and not await request.app[HUB].has_topic(batch_id):
        raise NoSuchBatch(batch_id)
    events = [decode(row["value"].encode(), batch_id=batch_id) for row in reversed(page.rows)]
    known = activity.of_events(events)
    times = [event.timestamp for event in events if event.timestamp is not None]
    silent_after = Limits.of_seconds(
        request.app[SETTINGS].stalled_after_s, request.app[SETTINGS].worker_silent_after_s
    ).silent_after
    now = datetime.now(UTC)

    def worker(name: str) -> Worker:
        found = known.get(name, Activity())
        flights = busy.get(name, [])
        return Worker(
            worker=name,
            host=found.host,
            stages=sorted(found.stages | {stage for stage, _ in flights}),
            gpus=[WorkerGpu(gpu=one.gpu, heard_at=one.heard_at) for one in found.gpus.values()],
            done=found.done,
            failed=found.failed,
            last_heard_at=_latest(found.last_heard_at, *(one.last_heard_at for _, one in flights)),
            files_in_flight=_in_flight(found, flights)[:LISTED_FILES],
            more_in_flight=max(0, sum(len(one.files_in_flight) for _, one in flights) - LISTED_FILES),
            silent=any(is_silent(FoldedWorker(one.last_heard_at, {}), now, silent_after) for _, one in flights),
        )

    return answer_tagged(
        request,
        Workers(
            workers=[worker(name) for name in sorted(known.keys() | busy.keys())],
            events=len(events),
            whole=not page.more,
            since=min(times, default=None),
            until=max(times, default=None),
        ),
    )


def _in_flight(found: Activity, flights: list[tuple[str, ReadWorker]]) -> list[FileInFlight]:
    return [
        FileInFlight(stage=stage, file_name=name, since=found.named_since.get((stage, name)))
        for stage, one in flights
        for name in one.files_in_flight
    ]


def _latest(*times: datetime | None) -> datetime | None:
    return max((time for time in times if time is not None), default=None)
