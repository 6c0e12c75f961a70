"""`GET /api/stream`: the events of batches, or their counts, as Server-Sent Events.

In two phases. Until the response is prepared an HTTP error (a problem) may be answered; from then on there is only the
stream, which ends when it cannot go on, so that the client comes again with the last id it has.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Final

from aiohttp import web
from headway_events import EVENT_TYPES

from headway_gateway import compression, position
from headway_gateway.beginning import Beginnings
from headway_gateway.client import Client
from headway_gateway.counts import Limits
from headway_gateway.errors import InvalidParameter, RequestError
from headway_gateway.keys import HUB, LIVE, PRINCIPAL, PROGRESS, SETTINGS, STORE, STREAMS
from headway_gateway.lanes import Lanes, LaneT
from headway_gateway.merged import ProgressLane, ProgressSubscription
from headway_gateway.selection import Selection
from headway_gateway.subscription import EventLane, Subscription

logger = logging.getLogger(__name__)

HEADERS: Final = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx and others like it would hold events back to fill a buffer
}
RATE: Final = 4.0  # messages a second of one stage: more than people can read
RATES: Final = (0.1, 20.0)

Run = Callable[[], Awaitable[None]]


async def stream(request: web.Request) -> web.StreamResponse:
    """Answer with a stream; 204 to a client that has all there will be."""
    mode = request.query.get("mode", "events")
    if mode not in {"events", "progress"}:
        raise InvalidParameter("mode", mode, "events or progress")
    _rate(request)  # a wrong one is refused in either mode, as the document says
    response = web.StreamResponse(headers=HEADERS)
    compressor = None
    if request.app[SETTINGS].compress:
        response.headers["Vary"] = "Accept-Encoding"
        if compression.is_accepted(request.headers.get("Accept-Encoding", "")):
            response.headers["Content-Encoding"] = "gzip"
            compressor = compression.Compressor()
    client = Client(response.write, compressor)
    async with AsyncExitStack() as stack:
        prepare = _events if mode == "events" else _progress
        run = await prepare(request, client, stack)
        if run is None:
            return web.Response(status=204)
        await response.prepare(request)
        async with request.app[STREAMS].serving(request, client, request[PRINCIPAL].expires_at):
            try:
                await run()
            except RequestError as error:
                logger.warning(
                    "A stream ends early; its client will come again",
                    extra={"action": "stream_ended_early", "remote": request.remote, "reason": str(error)},
                )
        await client.finish()
    return response


async def _events(request: web.Request, client: Client, stack: AsyncExitStack) -> Run | None:
    """What serves a stream of events; None for a client that has them all."""
    wanted = position.batch_ids(request.query.getall("batchId", []))
    last_id = position.last_event_id(request.query, request.headers.get("Last-Event-ID"))
    resumed = position.resumed(last_id, wanted)
    start = position.start(request.query, several=len(wanted) != 1)
    beginnings = Beginnings(request.app[HUB], request.app[STORE], client.news, resumed, start, must_exist=bool(wanted))
    selection = _selection(request)
    lanes: Lanes[EventLane] = await _lanes(request, wanted, resumed, beginnings.open_lane, stack)
    preface = beginnings.preface(lanes.positions, composite=len(wanted) != 1, enveloped=selection.enveloped)
    if resumed and not preface and lanes.are_over:
        return None
    subscription = Subscription(client, lanes, selection, composite=len(wanted) != 1)
    return lambda: subscription.run(preface)


async def _progress(request: web.Request, client: Client, stack: AsyncExitStack) -> Run | None:
    """What serves a stream of counts; None for a client that has the last ones."""
    for parameter in ("from", "eventType"):
        if parameter in request.query:
            raise InvalidParameter(
                parameter, request.query[parameter], "nothing with mode=progress, which begins with the counts of now"
            )
    wanted = position.batch_ids(request.query.getall("batchId", []))
    last_id = position.last_event_id(request.query, request.headers.get("Last-Event-ID"))
    resumed = position.resumed(last_id, wanted)

    selection, every_s, settings = _selection(request), 1 / _rate(request), request.app[SETTINGS]

    async def open_lane(batch_id: int) -> ProgressLane:
        held = AsyncExitStack()
        return ProgressLane(await held.enter_async_context(request.app[PROGRESS].batch(batch_id, client.news)), held)

    lanes: Lanes[ProgressLane] = await _lanes(request, wanted, resumed, open_lane, stack)
    has_all = all(
        lane.progress.is_over and batch_id in resumed and position.offset(resumed[batch_id]) == lane.progress.position
        for batch_id, lane in lanes.by_batch.items()
    )
    if wanted and has_all:
        return None
    return ProgressSubscription(
        client,
        lanes,
        selection,
        composite=len(wanted) != 1,
        every_s=every_s,
        limits=Limits.of_seconds(settings.stalled_after_s, settings.worker_silent_after_s),
    ).run


async def _lanes(
    request: web.Request,
    wanted: list[int],
    resumed: dict[int, position.After],
    open_lane: Callable[[int], Awaitable[LaneT | None]],
    stack: AsyncExitStack,
) -> Lanes[LaneT]:
    live = None if wanted else request.app[LIVE]
    lanes: Lanes[LaneT] = Lanes(open_lane, live)
    stack.push_async_callback(lanes.close)
    # What the client was reading goes on, though it may have ended meanwhile.
    await lanes.add(wanted or sorted(await request.app[LIVE].now() | resumed.keys()))
    return lanes


def _selection(request: web.Request) -> Selection:
    event_types = frozenset(request.query.getall("eventType", []))
    for event_type in event_types:
        if event_type not in EVENT_TYPES:
            raise InvalidParameter("eventType", event_type, f"one of {', '.join(EVENT_TYPES)}")
    form = request.query.get("format", "event")
    if form not in {"event", "envelope"}:
        raise InvalidParameter("format", form, "event or envelope")
    return Selection(frozenset(request.query.getall("stage", [])), event_types, form == "envelope")


def _rate(request: web.Request) -> float:
    text = request.query.get("rate", str(RATE))
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not RATES[0] <= rate <= RATES[1]:
        raise InvalidParameter("rate", text, f"a number from {RATES[0]:g} to {RATES[1]:g}: messages a second")
    return rate
