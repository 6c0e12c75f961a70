"""How routes answer with JSON: whole, or 304 to a client that has it already.

An entity tag is made of all that an answer depends on, so that 304 is found before the answer is: the batch's row,
whose nextOffset counts every event. What depends on the time of asking as well, such as "stalled", is its own tag.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import version
from typing import Any, Final

import asyncpg
import msgspec
from aiohttp import web
from headway_events import decode

from headway_gateway import sse
from headway_gateway.errors import LogDropped, NoSuchBatch
from headway_gateway.keys import HUB, STORE
from headway_gateway.reading import Reading

TAG_CHARACTERS: Final = 40  # 160 bits, as unlikely to occur twice as a commit's name
REVALIDATED: Final = "private, no-cache"  # kept by the browser, which asks each time whether it is still true
VERSION: Final = version("headway-gateway")  # another may put the same state into other words

Make = Callable[[Reading], Awaitable[msgspec.Struct]]

_encode: Final = msgspec.json.Encoder().encode


def answer(document: msgspec.Struct) -> web.Response:
    """A document that changes with time."""
    return web.Response(body=_encode(document), content_type="application/json", headers={"Cache-Control": "no-store"})


def answer_tagged(request: web.Request, document: msgspec.Struct) -> web.Response:
    """A document that depends on the time of asking too, and is cheap to make."""
    body = _encode(document)
    headers = tag_headers(digest(body))
    if has_it(request, headers):
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, content_type="application/json", headers=headers)


async def answer_of_batch(
    request: web.Request, batch_id: int, make: Make, *, unprojected: msgspec.Struct | None, of_log: bool = True
) -> web.Response:
    """A document that depends on the batch's state alone, made only for a client that does not have it.

    Args:
        request: the request.
        batch_id: the batch.
        make: makes the document.
        unprojected: what is answered of a batch of which the tables know nothing yet.
        of_log: whether the document is made of what is dropped with the batch's log.

    Raises:
        NoSuchBatch, LogDropped, DatabaseAway, KafkaAway: see there.
    """
    async with request.app[STORE].reading() as reading:
        batch = await reading.batch(batch_id)
        if batch is not None:
            if of_log and batch["logdroppedat"] is not None:
                raise LogDropped(batch_id)
            headers = tag_headers(tag_of(batch))
            if has_it(request, headers):
                return web.Response(status=304, headers=headers)
            body = _encode(await make(reading))
            return web.Response(body=body, content_type="application/json", headers=headers)
    if unprojected is None or not await request.app[HUB].has_topic(batch_id):
        raise NoSuchBatch(batch_id)
    return answer(unprojected)


def neighbour_address(request: web.Request, **place: str) -> str:
    """The address of the page after or before this one: this request's, from another place."""
    return str(request.url.without_query_params("after", "before").update_query(place).relative())


def next_address(request: web.Request, **changed: str | int) -> str:
    """The address of the next page: this request's, with other parameters."""
    return str(request.url.update_query(changed).relative())


def logged(batch_id: int, row: asyncpg.Record) -> dict[str, Any]:
    """The members of a LoggedEvent."""
    value = row["value"].encode()
    event = decode(value, batch_id=batch_id)
    return {
        "offset": row["topicoffset"],
        "event_type": event.event_type,
        "data": msgspec.Raw(sse.with_status(event, value)),
    }


def tag_of(batch: asyncpg.Record) -> str:
    """The tag of what a batch's state decides, at one address."""
    return digest(_encode((VERSION, *batch)))


def tag_headers(tag: str) -> dict[str, str]:
    """The headers that go with a tag, in a 304 too."""
    return {"ETag": f'"{tag}"', "Cache-Control": REVALIDATED}


def has_it(request: web.Request, headers: Mapping[str, str]) -> bool:
    """Whether the client has the answer with this tag (RFC 9110, section 13.1.2)."""
    return any(known.value == "*" or f'"{known.value}"' == headers["ETag"] for known in request.if_none_match or ())


def digest(state: bytes) -> str:
    """What stands for these bytes in a tag."""
    return hashlib.sha256(state).hexdigest()[:TAG_CHARACTERS]
