"""`GET /api/batches`, `/api/batches/{id}` and `/api/batches/{id}/events`: what the tables say, as JSON."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Annotated, Any, Final

import asyncpg
import msgspec
from aiohttp import web
from headway_events import EVENT_TYPES, BatchState, Status, batch_status, decode, percent, status_at
from msgspec import Meta

from headway_gateway import position, sse
from headway_gateway.errors import InvalidParameter, LogDropped, NoSuchBatch
from headway_gateway.keys import HUB, PRINCIPAL, SETTINGS, STORE
from headway_gateway.store import run_state

MOST_BATCHES: Final = 200
MOST_EVENTS: Final = 1000
LARGEST_OFFSET: Final = 2**63 - 1

_Cursor = tuple[Annotated[datetime, Meta(tz=True)], Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]]

_encode: Final = msgspec.json.Encoder().encode


async def batches(request: web.Request) -> web.Response:
    """A page of the batches that may be read, newest first."""
    limit = _limit(request, default=50, most=MOST_BATCHES)
    rows, runs = await request.app[STORE].batches(
        after=_cursor(request), search=request.query.get("q", ""), most=limit + 1, allowed=request[PRINCIPAL].batches
    )
    by_batch = {batch_id: list(some) for batch_id, some in groupby(runs, key=lambda run: run["batchid"])}
    page = rows[:limit]
    following = None
    if len(rows) > limit:
        query = request.url.update_query(after=_encode_cursor(page[-1]), limit=limit)
        following = str(query.relative())
    found = [_batch(request, row, by_batch.get(row["batchid"], [])) for row in page]
    return _json({"batches": found, "next": following})


async def batch(request: web.Request) -> web.Response:
    """One batch, with the current and the earlier runs of its stages."""
    batch_id = position.batch_id(request.match_info["batch_id"])
    row = await request.app[STORE].batch(batch_id)
    if row is None:
        if not await request.app[HUB].has_topic(batch_id):
            raise NoSuchBatch(batch_id)
        return _json({**_not_projected(batch_id), "stalledAfterS": request.app[SETTINGS].stalled_after_s})
    runs = await request.app[STORE].runs(batch_id)
    earlier = [_run(request, run) for run in runs if not run["iscurrent"]]
    return _json({**_batch(request, row, runs), "nextOffset": row["nextoffset"], "runs": earlier})


async def events(request: web.Request) -> web.Response:
    """A page of a batch's event log."""
    batch_id = position.batch_id(request.match_info["batch_id"])
    limit = _limit(request, default=100, most=MOST_EVENTS)
    after = _offset(request, "after", -1)
    before = _offset(request, "before", LARGEST_OFFSET)
    order = request.query.get("order", "asc")
    if order not in {"asc", "desc"}:
        raise InvalidParameter("order", order, "asc or desc")
    event_type = request.query.get("eventType")
    if event_type is not None and event_type not in EVENT_TYPES:
        raise InvalidParameter("eventType", event_type, f"one of {', '.join(EVENT_TYPES)}")
    store = request.app[STORE]
    rows = await store.log_page(
        batch_id, after=after, before=before, stage=_stage(request), event_type=event_type,
        downwards=order == "desc", most=limit + 1,
    )  # fmt: skip
    if not rows:
        overview = await store.batch(batch_id)
        if overview is None and not await request.app[HUB].has_topic(batch_id):
            raise NoSuchBatch(batch_id)
        if overview is not None and overview["logdroppedat"] is not None:
            raise LogDropped(batch_id)
    page = rows[:limit]
    following = None
    if len(rows) > limit:
        bound = "before" if order == "desc" else "after"
        following = str(request.url.update_query({bound: page[-1][0], "limit": limit}).relative())
    return _json({"events": [_event(batch_id, offset, value) for offset, value in page], "next": following})


def _batch(request: web.Request, row: asyncpg.Record, runs: list[asyncpg.Record]) -> dict[str, Any]:
    current = [run for run in runs if run["iscurrent"]]
    stages = [_run(request, run) for run in current]
    state = BatchState(stages={run["stage"]: [run_state(run)] for run in current}, closed=row["closed"])
    status = batch_status(state)
    if status is Status.PROCESSING and any(stage["status"] == Status.STALLED for stage in stages):
        status = Status.STALLED
    return {
        **_address(row["batchid"]),
        "name": row["name"],
        "labels": msgspec.json.decode(row["labels"]),
        "status": status,
        "createdAt": row["createdat"],
        "firstEventAt": row["firsteventat"],
        "lastEventAt": row["lasteventat"],
        "closed": row["closed"],
        "deadLetters": row["deadletters"],
        "archivedAt": row["archivedat"],
        "logDroppedAt": row["logdroppedat"],
        "problem": row["problem"],
        "stalledAfterS": request.app[SETTINGS].stalled_after_s,
        "stages": stages,
    }


def _not_projected(batch_id: int) -> dict[str, Any]:
    """A batch that has a topic, of which the tables know nothing yet."""
    unknown = dict.fromkeys(
        ("name", "createdAt", "firstEventAt", "lastEventAt", "archivedAt", "logDroppedAt", "problem")
    )
    counts: dict[str, Any] = {"closed": False, "deadLetters": 0, "stages": [], "nextOffset": 0, "runs": []}
    return {**_address(batch_id), "labels": {}, "status": Status.PENDING, **unknown, **counts}


def _address(batch_id: int) -> dict[str, Any]:
    """The id, and addresses that carry it as text: JavaScript rounds numbers above 2**53."""
    return {"batchId": batch_id, "self": f"/api/batches/{batch_id}", "page": f"/?batchId={batch_id}"}


def _run(request: web.Request, row: asyncpg.Record) -> dict[str, Any]:
    state = run_state(row)
    stalled_after = timedelta(seconds=request.app[SETTINGS].stalled_after_s)
    return {
        "stage": row["stage"],
        "run": state.run,
        "status": status_at(state, datetime.now(UTC), stalled_after),
        "total": state.total,
        "processed": state.processed,
        "errors": state.errors,
        "attempts": state.attempts,
        "late": state.late,
        "percent": percent(state),
        "startedAt": state.started_at,
        "updatedAt": state.updated_at,
        "endedAt": state.ended_at,
    }


def _event(batch_id: int, offset: int, value: bytes) -> dict[str, Any]:
    event = decode(value, batch_id=batch_id)
    return {"offset": offset, "eventType": event.event_type, "data": msgspec.Raw(sse.with_status(event, value))}


def _json(document: dict[str, Any]) -> web.Response:
    return web.Response(body=_encode(document), content_type="application/json", headers={"Cache-Control": "no-store"})


def _stage(request: web.Request) -> str | None:
    stage = request.query.get("stage")
    if stage is not None and "\0" in stage:
        raise InvalidParameter("stage", stage, "a name without NUL")
    return stage


def _limit(request: web.Request, *, default: int, most: int) -> int:
    text = request.query.get("limit", str(default))
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:9]) <= most:
        raise InvalidParameter("limit", text, f"a whole number from 1 to {most}")
    return int(text)


def _offset(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    if not re.fullmatch(r"-1|[0-9]{1,19}", text) or int(text) > LARGEST_OFFSET:
        raise InvalidParameter(name, text, "an offset")
    return int(text)


def _cursor(request: web.Request) -> tuple[datetime, int] | None:
    text = request.query.get("after")
    if text is None:
        return None
    try:
        cursor: tuple[datetime, int] = msgspec.json.decode(base64.urlsafe_b64decode(text), type=_Cursor)
    except ValueError:
        raise InvalidParameter("after", text, "the `after` of a `next` address") from None
    return cursor


def _encode_cursor(row: asyncpg.Record) -> str:
    return base64.urlsafe_b64encode(_encode((row["createdat"], row["batchid"]))).decode()
