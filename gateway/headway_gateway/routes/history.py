"""`GET /api/batches/{id}/history`: what the page showed at any moment of a batch."""

from __future__ import annotations

from collections import defaultdict

from aiohttp import web
from headway_events import decode

from headway_gateway import history, position
from headway_gateway.history import Change, Look, Mark
from headway_gateway.reading import Reading
from headway_gateway.responses_charts import History, RunHistory
from headway_gateway.routes.answers import answer_of_batch


async def show(request: web.Request) -> web.Response:
    """How every run stood at each frame."""
    batch_id = position.batch_id(request.match_info["batch_id"])

    async def make(reading: Reading) -> History:
        return await _history(reading, batch_id)

    return await answer_of_batch(
        request, batch_id, make, unprojected=History(offsets=[0], times=[None], runs=[], closed=[])
    )


async def _history(reading: Reading, batch_id: int) -> History:
    next_offset = await reading.next_offset(batch_id)
    marks = [
        Mark(row["topicoffset"], decode(row["value"].encode(), batch_id=batch_id))
        for row in await reading.history_marks(batch_id, history.span_of(next_offset))
    ]
    offsets = history.frames(next_offset, marks)
    changes: dict[int, list[Change]] = defaultdict(list)
    for row in await reading.history_changes(batch_id, offsets):
        changes[row["frame"]].append(Change(row["stage"], row["run"], row["processed"], row["errors"]))
    runs, closed = history.looks(offsets, marks, changes)
    return History(
        offsets=offsets,
        times=history.times(await reading.times_before(batch_id, offsets)),
        runs=[_run(stage, run, looks) for (stage, run), looks in runs.items()],
        closed=closed,
    )


def _run(stage: str, run: int, looks: list[Look]) -> RunHistory:
    return RunHistory(
        stage=stage,
        run=run,
        frames=[look.frame for look in looks],
        processed=[look.processed for look in looks],
        errors=[look.errors for look in looks],
        totals=[look.total for look in looks],
        statuses=[look.status for look in looks],
    )
