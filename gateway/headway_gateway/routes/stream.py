"""`GET /api/stream`: a batch's events as Server-Sent Events.

In two phases. `_prepare` may answer an HTTP error (a problem), since nothing is sent yet; from `_send` on there is
only the stream, which ends when it cannot go on, so that the client comes again with the last id it has.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import AsyncExitStack
from typing import NamedTuple

import msgspec
from aiohttp import web
from headway_events import EVENT_TYPES

from headway_gateway import position, sse
from headway_gateway.errors import InvalidParameter, LogDropped, RequestError
from headway_gateway.keys import HUB, METRICS, PRINCIPAL, SETTINGS, STORE, STREAMS
from headway_gateway.position import After, At, Beginning, Reset, Since, Start
from headway_gateway.replay import Replay, replay
from headway_gateway.subscription import ClientTooSlow, Selection, Subscription

logger = logging.getLogger(__name__)

MOST_TIMER_S = 30 * 24 * 60 * 60.0  # event loops cannot wait for ever; a client that comes again is harmless
HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx and others like it would hold events back to fill a buffer
}


class Prepared(NamedTuple):
    """A stream that can begin."""

    replay: Replay
    selection: Selection
    position: int
    preface: bytes


async def stream(request: web.Request) -> web.StreamResponse:
    """Answer with a stream; 204 to a client that has all there will be."""
    async with AsyncExitStack() as stack:
        prepared = await _prepare(request, stack)
        if prepared is None:
            return web.Response(status=204)
        return await _send(request, prepared)


async def _prepare(request: web.Request, stack: AsyncExitStack) -> Prepared | None:
    batch_id = position.batch_id(request.query.get("batchId"))
    start = position.start(request.query, request.headers.get("Last-Event-ID"))
    selection = _selection(request)
    sequence = await stack.enter_async_context(replay(batch_id, request.app[HUB], request.app[STORE]))
    preface = b""
    if start is Beginning.SNAPSHOT:
        data = await request.app[STORE].snapshot(batch_id)
        start = At(data["offset"])
        preface = sse.message(event="snapshot", data=msgspec.json.encode(data), event_id=data["offset"] - 1)
    begin = await _resolve(request, batch_id, start, sequence)
    if sequence.dropped and (isinstance(start, Since) or begin != sequence.end):
        raise LogDropped(batch_id)
    if isinstance(begin, Reset):
        details = {"reason": begin.reason, "requested": begin.requested, "from": begin.offset}
        preface += sse.message(event="reset", data=msgspec.json.encode(details), event_id=begin.offset - 1)
        begin = begin.offset
    if isinstance(start, After) and begin == sequence.end and sequence.ended and not preface:
        return None
    return Prepared(sequence, selection, begin, preface)


async def _resolve(request: web.Request, batch_id: int, start: Start, sequence: Replay) -> int | Reset:
    if isinstance(start, After | At):
        await _catch_up(request, position.offset(start), sequence)
        return position.resolve(start, first=sequence.first, end=sequence.end)
    if isinstance(start, Since):
        found = None
        if sequence.archived:
            found = await request.app[STORE].offset_since(batch_id, start.timestamp)
        if found is None and sequence.topic is not None:
            found = await request.app[HUB].offset_since(sequence.topic, start.timestamp)
        return sequence.end if found is None else found
    return sequence.end if start is Beginning.LATEST else sequence.first


async def _catch_up(request: web.Request, offset: int, sequence: Replay) -> None:
    """Wait for the feed to come to an offset that the topic has already.

    The tables, or another gateway that gave the id, can be ahead of this one by a moment.
    """
    if sequence.topic is not None and offset > sequence.end:
        offsets = await request.app[HUB].offsets(sequence.topic)
        if offsets is not None and offset <= offsets.end:
            await sequence.more_than(offset - 1)


async def _send(request: web.Request, prepared: Prepared) -> web.StreamResponse:
    response = web.StreamResponse(headers=HEADERS)
    await response.prepare(request)
    settings = request.app[SETTINGS]
    subscription = Subscription(prepared.replay, prepared.selection, response.write, settings.write_timeout_s)
    task = asyncio.current_task()
    assert task is not None
    request.app[STREAMS].tasks.add(task)
    expiry = _end_at_expiry(request, task)
    try:
        await subscription.run(prepared.position, prepared.preface)
    except asyncio.CancelledError:
        if task in request.app[STREAMS].tasks:
            raise  # the client has gone
        task.uncancel()  # the gateway ends: see app.drain
        await subscription.say_goodbye()
    except ClientTooSlow:
        request.app[METRICS].cut_off.inc()
        logger.warning("A client was too slow and is cut off", extra={"action": "client_cut_off", **_who(request)})
        if request.transport is not None:
            request.transport.abort()
    except RequestError as error:
        logger.warning(
            "A stream ends early; its client will come again",
            extra={"action": "stream_ended_early", **_who(request), "reason": str(error)},
        )
    finally:
        request.app[STREAMS].tasks.discard(task)
        if expiry is not None:
            expiry.cancel()
    return response


def _end_at_expiry(request: web.Request, task: asyncio.Task[object]) -> asyncio.TimerHandle | None:
    """End a stream with the token that it was opened with; the client comes again, and is refused."""
    expires_at = request[PRINCIPAL].expires_at
    if expires_at is None:
        return None
    in_s = min(expires_at - time.time(), MOST_TIMER_S)
    return asyncio.get_running_loop().call_later(in_s, request.app[STREAMS].end, task)


def _selection(request: web.Request) -> Selection:
    event_types = frozenset(request.query.getall("eventType", []))
    for event_type in event_types:
        if event_type not in EVENT_TYPES:
            raise InvalidParameter("eventType", event_type, f"one of {', '.join(EVENT_TYPES)}")
    form = request.query.get("format", "event")
    if form not in {"event", "envelope"}:
        raise InvalidParameter("format", form, "event or envelope")
    return Selection(frozenset(request.query.getall("stage", [])), event_types, form == "envelope")


def _who(request: web.Request) -> dict[str, object]:
    return {"remote": request.remote, "batch_id": request.query.get("batchId")}
