"""`GET /api/batches/{id}/files`, `/files/{name}`, `/errors`, `/errors/files`: how files stand, what was said."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import quote

import asyncpg
import msgspec
from aiohttp import web
from headway_events import Outcome

from headway_gateway import parameters, position
from headway_gateway.errors import NoSuchFile
from headway_gateway.parameters import ErrorFilesQuery, ErrorsQuery, FilePlace, FileQuery, FilesQuery, given
from headway_gateway.reading import Reading
from headway_gateway.responses import Attempt, ErrorGroup, ErrorGroups, File, FileDetails, FilePage
from headway_gateway.routes.answers import answer_of_batch, logged, next_address


async def files(request: web.Request) -> web.Response:
    """A page of a batch's files."""
    batch_id = position.batch_id(request.match_info["batch_id"])
    query = parameters.read(request.query, FilesQuery)
    after = given(query.after)
    place = None if after is None else parameters.read_cursor(after, FilePlace)

    async def make(reading: Reading) -> FilePage:
        page = await reading.files(
            batch_id,
            stage=given(query.stage),
            run=given(query.run),
            outcome=given(query.outcome),
            search=query.q,
            sort=query.sort,
            after=place,
            limit=query.limit,
        )
        following = None
        if page.more:
            last = page.rows[-1]
            duration_ms = -1.0 if last["durationms"] is None else last["durationms"]
            cursor = parameters.encode_cursor(
                FilePlace(duration_ms, last["filename"], last["stage"], last["topicoffset"])
            )
            following = next_address(request, limit=query.limit, after=cursor)
        return FilePage(files=[_file(batch_id, row) for row in page.rows], next=following)

    return await answer_of_batch(request, batch_id, make, unprojected=FilePage(files=[], next=None))


async def file(request: web.Request) -> web.Response:
    """One file: how it stands in each run, and a page of the reports of it."""
    batch_id = position.batch_id(request.match_info["batch_id"])
    file_name = parameters.text("fileName", request.match_info["file_name"])
    query = parameters.read(request.query, FileQuery)

    async def make(reading: Reading) -> FileDetails:
        outcomes = await reading.outcomes_of_file(batch_id, file_name)
        page = await reading.attempts(batch_id, file_name, after=query.after, limit=query.limit)
        if not outcomes and not page.rows:
            raise NoSuchFile(batch_id, file_name)
        following = None
        if page.more:
            following = next_address(request, limit=query.limit, after=page.rows[-1]["topicoffset"])
        return FileDetails(
            file_name=file_name,
            self_=_address(batch_id, file_name),
            outcomes=[_file(batch_id, row) for row in outcomes],
            attempts=[_attempt(batch_id, row) for row in page.rows],
            next=following,
        )

    return await answer_of_batch(request, batch_id, make, unprojected=None)


async def errors(request: web.Request) -> web.Response:
    """The failed files of the current runs, by what their errors say."""
    batch_id = position.batch_id(request.match_info["batch_id"])
    query = parameters.read(request.query, ErrorsQuery)

    async def make(reading: Reading) -> ErrorGroups:
        rows = await reading.error_groups(
            batch_id, stage=given(query.stage), mended=query.mended, latest=given(query.latest), most=query.limit
        )
        return ErrorGroups(
            files=rows[0]["failed"] if rows else 0,
            groups=rows[0]["groups"] if rows else 0,
            errors=[_group(batch_id, row) for row in rows],
        )

    return await answer_of_batch(request, batch_id, make, unprojected=ErrorGroups(files=0, groups=0, errors=[]))


async def error_files(request: web.Request) -> web.Response:
    """A page of the files of one group of errors."""
    batch_id = position.batch_id(request.match_info["batch_id"])
    query = parameters.read(request.query, ErrorFilesQuery)

    async def make(reading: Reading) -> FilePage:
        page = await reading.error_files(
            batch_id,
            type_=given(query.type),
            message=query.message,
            stage=given(query.stage),
            after=query.after,
            before=query.before,
            limit=query.limit,
        )
        following = None
        if page.more:
            following = next_address(request, limit=query.limit, after=page.rows[-1]["topicoffset"])
        return FilePage(files=[_file(batch_id, row) for row in page.rows], next=following)

    return await answer_of_batch(request, batch_id, make, unprojected=FilePage(files=[], next=None))


def _file(batch_id: int, row: asyncpg.Record) -> File:
    return File(
        file_name=row["filename"],
        stage=row["stage"],
        run=row["run"],
        outcome=Outcome(row["outcome"]),
        duration_ms=row["durationms"],
        offset=row["topicoffset"],
        timestamp=row["timestamp"],
        self_=_address(batch_id, row["filename"]),
    )


def _attempt(batch_id: int, row: asyncpg.Record) -> Attempt:
    return Attempt(
        **logged(batch_id, row), stage=row["stage"], run=row["run"], late=row["late"], timestamp=row["timestamp"]
    )


def _group(batch_id: int, row: asyncpg.Record) -> ErrorGroup:
    return ErrorGroup(
        type=row["type"],
        message=row["words"],
        example=row["example"],
        count=row["count"],
        stages=row["stages"],
        first_offset=row["firstoffset"],
        last_offset=row["lastoffset"],
        first_at=row["firstat"],
        last_at=row["lastat"],
        files=[
            File(
                stage=stage,
                run=run,
                file_name=name,
                outcome=Outcome.ERROR,
                duration_ms=duration_ms,
                offset=offset,
                timestamp=None if timestamp is None else datetime.fromisoformat(timestamp),
                self_=_address(batch_id, name),
            )
            for stage, run, name, duration_ms, offset, timestamp in msgspec.json.decode(row["files"])
        ],
    )


def _address(batch_id: int, file_name: str) -> str:
    return f"/api/batches/{batch_id}/files/{quote(file_name, safe='')}"
