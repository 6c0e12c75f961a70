"""The tests' own reader of Server-Sent Events judges strictly: it is what the gateway is measured by."""

from __future__ import annotations

from collections.abc import Sequence

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from support.sse import Message, messages


async def _read(chunks: Sequence[bytes], content_type: str = "text/event-stream") -> list[Message]:
    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": content_type})
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
        return response

    application = web.Application()
    application.router.add_get("/", stream)
    async with (
        TestServer(application) as server,
        aiohttp.ClientSession() as session,
        session.get(server.make_url("/")) as response,
    ):
        return [message async for message in messages(response)]


async def test_messages_have_their_id_event_and_data_whatever_the_chunks() -> None:
    whole = b": comment\nretry: 3000\n\nid: 7\nevent: stage_start\ndata: {\ndata: }\n\ndata:bare\n\n"
    expected = [Message("7", "stage_start", "{\n}"), Message("7", "message", "bare")]
    assert await _read([whole]) == expected
    assert await _read([whole[at : at + 1] for at in range(len(whole))]) == expected


async def test_a_message_without_its_blank_line_is_not_dispatched() -> None:
    assert await _read([b"data: whole\n\ndata: cut"]) == [Message("", "message", "whole")]


async def test_a_message_without_data_is_not_dispatched_and_keeps_its_id() -> None:
    assert await _read([b"id: 5\n\ndata: x\n\n"]) == [Message("5", "message", "x")]


@pytest.mark.parametrize("wrong", [b"data: x\r\n\r\n", b"datum: x\n\n", b"retry: soon\n\n"])
async def test_what_a_lenient_reader_would_forgive_fails(wrong: bytes) -> None:
    with pytest.raises(AssertionError):
        await _read([wrong])


async def test_a_response_that_is_no_stream_fails() -> None:
    with pytest.raises(AssertionError, match="text/plain"):
        await _read([b"data: x\n\n"], content_type="text/plain")
