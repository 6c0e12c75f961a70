"""`GET /api/batches/{id}/export`: all events or files of a batch as one file, as the tables are at one moment.

In two phases, as a stream: until the first rows are read an error is answered with a problem; from then on the file is
on its way, and whatever keeps it from being whole cuts the connection, so that nobody takes a part for the whole.
Rows are read, encoded and sent piece by piece: what an export holds in memory does not depend on its size.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import asyncpg
from aiohttp import web

from headway_gateway import parameters, position
from headway_gateway.client import WRITE_BYTES
from headway_gateway.errors import LogDropped, NoSuchBatch, ParquetMissing, RequestError
from headway_gateway.export import CsvEncoder, Encoder, NdjsonEncoder, Table, events_table, files_table
from headway_gateway.keys import HUB, SETTINGS, STORE
from headway_gateway.parameters import ExportQuery
from headway_gateway.reading import Reading
from headway_gateway.routes.answers import has_it, tag_headers, tag_of

logger = logging.getLogger(__name__)

Pages = AsyncIterator[list[asyncpg.Record]]


class ClientTooSlow(Exception):
    """The client has not taken what was sent for too long."""


class ClientGone(Exception):
    """The client has closed the connection."""


async def export(request: web.Request) -> web.StreamResponse:
    """A batch's events or files as a file."""
    batch_id = position.batch_id(request.match_info["batch_id"])
    query = parameters.read(request.query, ExportQuery)
    response = web.StreamResponse(headers={"Cache-Control": "no-store"})
    whole = False
    try:
        async with (
            asyncio.timeout(request.app[SETTINGS].export_timeout_s),
            request.app[STORE].exporting() as reading,
        ):
            await _export(request, response, reading, batch_id, query)
            whole = True
    except (RequestError, ClientTooSlow, ClientGone, TimeoutError) as error:
        if not response.prepared:
            raise
        logger.warning(
            "An export ends early: %s",
            str(error) or type(error).__name__,
            extra={"action": "export_ended_early", "remote": request.remote, "batch_id": batch_id},
        )
    finally:
        if response.prepared and not whole and request.transport is not None:
            request.transport.abort()
    return response


async def _export(
    request: web.Request, response: web.StreamResponse, reading: Reading, batch_id: int, query: ExportQuery
) -> None:
    batch = await reading.batch(batch_id)
    if batch is None:
        if not await request.app[HUB].has_topic(batch_id):
            raise NoSuchBatch(batch_id)
    elif batch["logdroppedat"] is not None:
        raise LogDropped(batch_id)
    else:
        response.headers.update(tag_headers(tag_of(batch)))
        if has_it(request, response.headers):
            response.set_status(304)
            await response.prepare(request)
            return
    table, pages = await _rows(reading, batch_id, query)
    encoder = _encoder(query, table)
    page: list[asyncpg.Record] = await anext(pages, [])
    response.headers["Content-Type"] = encoder.content_type
    response.headers["Content-Disposition"] = f'attachment; filename="batch-{batch_id}-{query.what}.{query.format}"'
    await response.prepare(request)
    if request.method == "HEAD":
        return
    await _send(request, response, encoder.head())
    while page:
        await _send(request, response, await asyncio.to_thread(encoder.encode, page))
        page = await anext(pages, [])
    await _send(request, response, await asyncio.to_thread(encoder.tail))
    await response.write_eof()


async def _rows(reading: Reading, batch_id: int, query: ExportQuery) -> tuple[Table, Pages]:
    if query.what == "events":
        return events_table(batch_id), _events(reading, batch_id)
    runs = await reading.runs([batch_id])
    current = {(run["stage"], run["run"]) for run in runs if run["iscurrent"]}
    return files_table(batch_id, current), _files(reading, batch_id, sorted((run["stage"], run["run"]) for run in runs))


async def _events(reading: Reading, batch_id: int) -> Pages:
    after = -1
    while page := await reading.next_events(batch_id, after):
        yield page
        after = page[-1]["topicoffset"]


async def _files(reading: Reading, batch_id: int, runs: list[tuple[str, int]]) -> Pages:
    for stage, run in runs:
        after = ""
        while page := await reading.next_files(batch_id, stage, run, after):
            yield page
            after = page[-1]["filename"]


def _encoder(query: ExportQuery, table: Table) -> Encoder:
    if query.format == "csv":
        return CsvEncoder(table)
    if query.format == "ndjson":
        return NdjsonEncoder(table)
    try:
        from headway_gateway.parquet import ParquetEncoder  # noqa: PLC0415 - an extra, and 40 MB of memory
    except ImportError as error:
        raise ParquetMissing from error
    return ParquetEncoder(table)


async def _send(request: web.Request, response: web.StreamResponse, data: bytes) -> None:
    """Send a piece, as fast as the client takes it.

    Raises:
        ClientTooSlow, ClientGone: see there.
    """
    view = memoryview(data)
    for begin in range(0, len(view), WRITE_BYTES):
        try:
            async with asyncio.timeout(request.app[SETTINGS].write_timeout_s):
                await response.write(view[begin : begin + WRITE_BYTES])
        except TimeoutError:
            raise ClientTooSlow from None
        except ConnectionError:
            raise ClientGone from None
