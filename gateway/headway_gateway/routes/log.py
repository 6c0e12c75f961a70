"""`GET /api/batches/{id}/events` and `/dead-letters`: the records of a batch's topic, page by page."""

from __future__ import annotations

from typing import Final

import asyncpg
from aiohttp import web

from headway_gateway import parameters, position
from headway_gateway.parameters import DeadLettersQuery, EventsQuery, given
from headway_gateway.reading import Reading
from headway_gateway.responses import DeadLetter, DeadLetterPage, EventPage, LoggedEvent
from headway_gateway.routes.answers import answer_of_batch, logged, next_address

READABLE_CHARACTERS: Final = 1000  # of a dead letter


async def events(request: web.Request) -> web.Response:
    """A page of a batch's event log."""
    batch_id = position.batch_id(request.match_info["batch_id"])
    query = parameters.read(request.query, EventsQuery)

    async def make(reading: Reading) -> EventPage:
        page = await reading.events(
            batch_id,
            after=query.after,
            before=query.before,
            stage=given(query.stage),
            event_type=given(query.event_type),
            downwards=query.order == "desc",
            limit=query.limit,
        )
        following = None
        if page.more:
            bound = {"before" if query.order == "desc" else "after": page.rows[-1]["topicoffset"]}
            following = next_address(request, limit=query.limit, **bound)
        return EventPage(events=[LoggedEvent(**logged(batch_id, row)) for row in page.rows], next=following)

    return await answer_of_batch(request, batch_id, make, unprojected=EventPage(events=[], next=None))


async def dead_letters(request: web.Request) -> web.Response:
    """A page of the records that are not events."""
    batch_id = position.batch_id(request.match_info["batch_id"])
    query = parameters.read(request.query, DeadLettersQuery)

    async def make(reading: Reading) -> DeadLetterPage:
        page = await reading.dead_letters(batch_id, after=query.after, limit=query.limit)
        following = None
        if page.more:
            following = next_address(request, limit=query.limit, after=page.rows[-1]["topicoffset"])
        return DeadLetterPage(dead_letters=[_dead_letter(row) for row in page.rows], next=following)

    unprojected = DeadLetterPage(dead_letters=[], next=None)
    return await answer_of_batch(request, batch_id, make, unprojected=unprojected, of_log=False)


def _dead_letter(row: asyncpg.Record) -> DeadLetter:
    value: bytes | None = row["value"]
    return DeadLetter(
        offset=row["topicoffset"],
        error=row["error"],
        message=row["message"],
        key=row["key"],
        value=value,
        text=None if value is None else value.decode(errors="replace")[:READABLE_CHARACTERS],
        recorded_at=row["recordedat"],
        refused_at=row["refusedat"],
    )
