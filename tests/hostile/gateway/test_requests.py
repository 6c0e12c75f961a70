"""Whatever is sent to a gateway's port is answered cleanly or hung up on, leaves no traceback, and disturbs nobody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import NamedTuple

import aiohttp
import msgspec
import pytest

from support.batches import batch_events
from support.eventually import eventually
from support.programs import Program
from support.sockets import connected
from support.stream import ids, read
from support.topics import Topics

ANSWER_WITHIN_S = 20


class Answer(NamedTuple):
    """One response, as its bytes say."""

    status: int
    headers: dict[str, str]
    body: bytes


async def exchange(port: int, sent: bytes) -> list[Answer]:
    """All that is answered until the gateway hangs up, or has answered and waits for more."""
    async with connected(port) as (reader, writer):
        writer.write(sent)
        answers: list[Answer] = []
        while head := await _head(reader, wait_s=0.5 if answers else ANSWER_WITHIN_S):
            line, *lines = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in lines if one)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            answers.append(Answer(int(line.split()[1]), headers, body))
        return answers


async def answers_to(port: int, targets: Iterable[bytes]) -> dict[bytes, Answer]:
    """The one answer to each of these addresses."""
    found = {}
    for target in targets:
        answers = await exchange(port, request(target))
        assert len(answers) == 1, target
        found[target] = answers[0]
    return found


async def _head(reader: asyncio.StreamReader, *, wait_s: float) -> bytes:
    try:
        async with asyncio.timeout(wait_s):
            return await reader.readuntil(b"\r\n\r\n")
    except (TimeoutError, asyncio.IncompleteReadError, ConnectionResetError):
        return b""


@pytest.fixture
async def unharmed(gateway: Program) -> AsyncIterator[Program]:
    """A gateway that must be healthy at the end, with no traceback in its log and no connection left over."""
    yield gateway
    async with aiohttp.ClientSession(gateway.url) as client, client.get("/healthz") as response:
        assert response.status == 200
    assert "Traceback" not in gateway.log_text()
    assert "request_failed" not in gateway.log_text()


def request(target: bytes, *lines: bytes, method: bytes = b"GET", version: bytes = b"HTTP/1.1") -> bytes:
    return b"\r\n".join([b"%b %b %b" % (method, target, version), b"Host: 127.0.0.1", *lines, b"", b""])


NO_HTTP = {
    "a word": b"hello\r\n\r\n",
    "TLS": bytes.fromhex("16030100a5010000a10303") + b"\x00" * 160,
    "HTTP/2 without asking": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "an unknown method": request(b"/", method=b"BREW"),
    "another version": request(b"/", version=b"HTTP/9.9"),
    "a space before the colon": request(b"/", b"X-A : b"),
    "a folded header": request(b"/", b"X-A: b", b" c"),
    "NUL in a header": request(b"/", b"X-A: b\0c"),
    "no name of a header": request(b"/", b": b"),
    "no colon": request(b"/", b"nothing"),
    "a bare CR": request(b"/", b"X-A: b\rX-B: c"),
    "a space in the address": request(b"/a b"),
    "two hosts": request(b"/", b"Host: evil.example"),
    "too many headers": request(b"/", *(b"X-%d: y" % number for number in range(2000))),
    "a length that is no number": request(b"/", b"Content-Length: x", method=b"POST"),
    "a negative length": request(b"/", b"Content-Length: -1", method=b"POST"),
    "a signed length": request(b"/", b"Content-Length: +5", method=b"POST"),
    "two lengths": request(b"/", b"Content-Length: 5", b"Content-Length: 6", method=b"POST"),
    "length and chunked": request(b"/", b"Content-Length: 5", b"Transfer-Encoding: chunked", method=b"POST"),
    "chunked and length": request(b"/", b"Transfer-Encoding: chunked", b"Content-Length: 5", method=b"POST"),
    "chunked twice": request(b"/", b"Transfer-Encoding: chunked, chunked", method=b"POST"),
    "chunked not last": request(b"/", b"Transfer-Encoding: chunked, identity", method=b"POST"),
    "an unknown coding": request(b"/", b"Transfer-Encoding: xchunked", method=b"POST"),
    "chunked with a control character": request(b"/", b"Transfer-Encoding: \x0bchunked", method=b"POST"),
}


async def test_what_is_no_http_is_a_problem_and_the_end_of_the_connection(unharmed: Program) -> None:
    smuggled = b"0\r\n\r\n" + request(b"/healthz")
    for name, sent in NO_HTTP.items():
        answers = await exchange(unharmed.port, sent + (smuggled if b"POST" in sent else b""))
        assert [answer.status for answer in answers] == [400], name
        assert answers[0].headers["content-type"] == "application/problem+json", name
        assert answers[0].headers["x-content-type-options"] == "nosniff"
        assert answers[0].headers["connection"] == "close"
        assert msgspec.json.decode(answers[0].body)["status"] == 400


async def test_what_is_too_long_is_refused_as_such(unharmed: Program) -> None:
    for sent in (
        request(b"/" + b"a" * 20_000),
        request(b"/api/batches?q=" + b"a" * 20_000),
        request(b"/", b"X-A: " + b"b" * 20_000),
        request(b"/", b"Cookie: headway=" + b"b" * 100_000),
    ):
        (answer,) = await exchange(unharmed.port, sent)
        assert (answer.status, answer.headers["connection"]) == (431, "close"), sent[:40]
        assert msgspec.json.decode(answer.body)["detail"] == "The address or a header is too long"


PATHS = {
    b"/static/../app.py": 404,
    b"/static/..%2fapp.py": 404,
    b"/static/%2e%2e/app.py": 404,
    b"/static/%2e%2e%2fapp.py": 404,
    b"/static/..%5capp.py": 404,
    b"/static//etc/passwd": 404,
    b"/static/%2fetc/passwd": 404,
    b"/static/main.js%00.css": 400,
    b"/static/%ff%fe": 404,
    b"/static/": 404,
    b"/static/views": 404,
    b"/static/views/": 404,
    b"/static/" + b"a" * 300: 404,
    b"/static/" + b"a/" * 1000: 404,
    b"/static/con:": 404,
    b"//api/batches": 404,
    b"/./api/batches": 404,
    b"/api/../healthz": 404,
    b"/API/batches": 404,
    b"/api/batches/": 404,
    b"/api/batches/1%00": 400,
    b"/api/batches/%31": 404,  # batch 1: there is none
    b"/api/batches/1/../2": 404,
    b"/api/batches/1%2f..%2f2": 400,
    b"/api/batches/%ed%a0%80": 400,
    b"/api/batches/\xff": 400,
    b"/api/batches/\xd9\xa1": 400,  # an Arabic 1
    b"/api/batches/1e3": 400,
    b"/api/batches/" + b"9" * 5000: 400,
    b"/api/batches/-0": 400,
    b"/api/batches/1_0": 400,
    b"*": 400,
    b"http://evil.example/api/batches/1": 403,
    b"http://127.0.0.1@evil.example/api/batches/1": 403,
    b"http://[::1/": 400,
    b"/%": 404,
    b"/%zz": 404,
}


async def test_paths_lead_to_what_they_name_and_nowhere_else(unharmed: Program, projector: Program) -> None:
    answers = await answers_to(unharmed.port, PATHS)
    assert {target: answer.status for target, answer in answers.items()} == PATHS
    for target, answer in answers.items():
        assert answer.headers["content-type"] == "application/problem+json", target
        assert b"root:" not in answer.body


QUERIES = {
    b"/api/batches?q=%00": 400,
    b"/api/batches?q=%ff": 200,
    b"/api/batches?q=\xff": 400,
    b"/api/batches?q=%ed%a0%80": 200,
    b"/api/batches?q=%F0%9F%98%80": 200,
    b"/api/batches?q=%25%5c_%27%22;--": 200,
    b"/api/batches?limit=1&limit=2": 400,
    b"/api/batches?limit=%d9%a1": 400,
    b"/api/batches?limit=" + b"9" * 5000: 400,
    b"/api/batches?limit=1;limit=2": 400,
    b"/api/batches?after=%00": 400,
    b"/api/batches?after=!!!!": 400,
    b"/api/batches?after=W10=": 400,
    b"/api/batches?after=WyIyMDI2LTAxLTAxVDAwOjAwOjAwWiIsOTk5OTk5OTk5OTk5OTk5OTk5OTldCg==": 400,
    b"/api/batches?after=\xc3\xa9": 400,
    b"/api/batches/1/events?stage=%00": 400,
    b"/api/batches/1/events?stage=%ed%a0%80": 404,
    b"/api/batches/1/events?after=1e9": 404,
    b"/api/batches/1/events?before=1_0": 400,
    b"/api/batches/1/events?after=-2": 400,
    b"/api/stream?batchId": 400,
    b"/api/stream?batchId=%00": 400,
    b"/api/stream?batchId=%31": 404,
    b"/api/stream?batchId=1&from=%00": 400,
    b"/api/stream?batchId=1&from=9999999999999999999999": 400,
    b"/api/stream?batchId=1&from=0001-01-01T00:00:00%2B23:59": 404,
    b"/api/stream?batchId=1&lastEventId=%ff": 400,
    b"/api/stream?batchId=1&stage=%00": 400,
    b"/api/stream?batchId=x" + b"&" * 5000: 400,
    b"/api/stream?batchId=1" + b"&stage=a" * 900: 404,
}


async def test_queries_are_understood_or_refused(unharmed: Program, projector: Program) -> None:
    answers = await answers_to(unharmed.port, QUERIES)
    assert {target: answer.status for target, answer in answers.items()} == QUERIES
    for answer in answers.values():
        msgspec.json.decode(answer.body)


async def test_an_event_id_that_is_no_id_is_refused(unharmed: Program) -> None:
    for value in (b"\xff", b"\xed\xa0\x80", b"1\t2", b"9" * 5000, b"1, 2", b"\xd9\xa1"):
        (answer,) = await exchange(unharmed.port, request(b"/api/stream?batchId=1", b"Last-Event-ID: " + value))
        assert answer.status == 400
        assert msgspec.json.decode(answer.body)["parameter"] == "Last-Event-ID"


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"TRACE", b"CONNECT"])
async def test_other_methods_are_refused_with_those_that_there_are(unharmed: Program, method: bytes) -> None:
    for target in (b"/", b"/api/batches", b"/api/batches/1", b"/api/stream?batchId=1", b"/healthz", b"/static/main.js"):
        (answer,) = await exchange(unharmed.port, request(target, b"Content-Length: 0", method=method))
        if method == b"CONNECT":
            assert answer.status in {400, 403}, target
        else:
            assert (answer.status, answer.headers["allow"][:3]) == (405, "GET"), target
        assert answer.headers["content-type"] == "application/problem+json"


async def test_an_expectation_that_cannot_be_met_is_refused(unharmed: Program) -> None:
    (answer,) = await exchange(unharmed.port, request(b"/healthz", b"Expect: 200-ok"))
    assert answer.status == 417


async def test_a_body_that_nobody_wants_does_no_harm(unharmed: Program) -> None:
    answers = await exchange(unharmed.port, request(b"/readyz", b"Content-Length: 5") + b"hello" + request(b"/readyz"))
    assert [answer.status for answer in answers] == [200, 200]
    chunked = b"5\r\nhello\r\n0\r\n\r\n"
    answers = await exchange(unharmed.port, request(b"/readyz", b"Transfer-Encoding: chunked") + chunked)
    assert [answer.status for answer in answers] == [200]


async def test_http_1_0_is_answered_and_hung_up_on(unharmed: Program, topics: Topics, batch_id: int) -> None:
    (answer,) = await exchange(unharmed.port, request(b"/readyz", version=b"HTTP/1.0"))
    assert answer.status == 200
    topics.create(batch_id)
    topics.write_events(batch_events(batch_id, 2))
    async with connected(unharmed.port) as (reader, writer), asyncio.timeout(ANSWER_WITHIN_S):
        writer.write(request(b"/api/stream?batchId=%d" % batch_id, version=b"HTTP/1.0"))
        answered = await reader.read()
    head, _, body = answered.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200")
    assert b"chunked" not in head
    assert body.count(b"\nevent: ") == 5


async def test_who_names_no_host_is_no_browser_and_speaks_http_1_0(unharmed: Program) -> None:
    for sent, status in (
        (b"GET /readyz HTTP/1.1\r\n\r\n", 400),
        (b"GET /readyz HTTP/1.1\r\nHost:\r\n\r\n", 403),
        (b"GET /readyz HTTP/1.0\r\n\r\n", 200),
    ):
        (answer,) = await exchange(unharmed.port, sent)
        assert answer.status == status, sent


async def test_requests_in_a_row_are_answered_in_their_order(unharmed: Program) -> None:
    targets = [b"/readyz", b"/api/batches?limit=x", b"/nowhere", b"/healthz"] * 10
    answers = await exchange(unharmed.port, b"".join(request(target) for target in targets))
    assert [answer.status for answer in answers] == [200, 400, 404, 200] * 10


async def test_what_follows_a_stream_on_its_connection_waits_and_disturbs_nobody(
    unharmed: Program, topics: Topics, batch_id: int
) -> None:
    topics.create(batch_id)
    *events, last = batch_events(batch_id, 2)
    topics.write_events(events)
    async with connected(unharmed.port) as (reader, writer), asyncio.timeout(ANSWER_WITHIN_S):
        writer.write(request(b"/api/stream?batchId=%d" % batch_id))
        await reader.readuntil(b"id: 3\n")
        writer.write(b"\0garbage\r\n\r\n" * 100_000)
        topics.write_events([last])
        await reader.readuntil(b"0\r\n\r\n")  # the stream's end
        assert b"400 Bad Request" in await _read_some(reader)


async def test_a_client_that_says_half_a_request_is_hung_up_on(make_gateway: Callable[..., Program]) -> None:
    gateway = make_gateway(HEADWAY_GATEWAY_IDLE_TIMEOUT_S="1")
    gateway.run()

    async def until_hung_up(sent: bytes, drops: bytes) -> float:
        begin = time.monotonic()
        async with connected(gateway.port) as (reader, writer), asyncio.timeout(ANSWER_WITHIN_S):
            writer.write(sent)

            async def drip() -> None:
                while True:
                    writer.write(drops)
                    await asyncio.sleep(0.1)

            dripping = asyncio.create_task(drip())
            while await _read_some(reader):
                pass
            dripping.cancel()
        return time.monotonic() - begin

    waits = await asyncio.gather(
        until_hung_up(b"", b""),
        until_hung_up(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n", b"X-A: b\r\n"),
        until_hung_up(b"GET /", b"a"),
        until_hung_up(request(b"/readyz"), b""),
        until_hung_up(request(b"/readyz") + b"GET / HT", b""),
    )
    assert all(0.9 < wait < 10 for wait in waits), waits
    await eventually(lambda: gateway.metric("headway_gateway_connections"), lambda connections: connections == 1)
    assert "Traceback" not in gateway.log_text()


async def test_a_body_that_never_ends_is_hung_up_on(unharmed: Program) -> None:
    for path, headers in (
        (b"/readyz", b"Content-Length: 1000000"),
        (b"/api/session", b"Content-Type: application/json\r\nContent-Length: 1000"),
    ):
        method = b"POST" if path == b"/api/session" else b"GET"
        answers = await exchange(unharmed.port, request(path, headers, method=method))
        assert [answer.status for answer in answers] == [408 if method == b"POST" else 200]


async def test_a_body_that_is_too_large_is_refused(unharmed: Program) -> None:
    for head, body in (
        (b"Content-Length: 100000", b"x" * 100_000),
        (b"Transfer-Encoding: chunked", b"%x\r\n%b\r\n0\r\n\r\n" % (100_000, b"x" * 100_000)),
        (b"Content-Length: 100000000000", b""),
    ):
        sent = request(b"/api/session", b"Content-Type: application/json", head, method=b"POST") + body
        answers = await exchange(unharmed.port, sent)
        assert [answer.status for answer in answers] == [413]


async def test_clients_that_come_and_go_in_hundreds_leave_nothing_behind(
    unharmed: Program, topics: Topics, batch_id: int
) -> None:
    topics.create(batch_id)
    *events, last = batch_events(batch_id, 200)
    topics.write_events(events)

    async def come_and_go(number: int) -> None:
        async with connected(unharmed.port) as (_, writer):
            writer.write(request(b"/api/stream?batchId=%d" % batch_id)[: None if number % 3 else number % 50])
            await asyncio.sleep(number % 7 / 100)
            if number % 2:
                writer.transport.abort()

    async with aiohttp.ClientSession(unharmed.url) as client:
        reading = asyncio.create_task(read(client, batch_id))
        await asyncio.gather(*(come_and_go(number) for number in range(600)))
        topics.write_events([last])
        assert ids(await reading) == list(range(203))
    await eventually(lambda: unharmed.metric('headway_gateway_streams{mode="events"}'), lambda streams: streams == 0)
    await eventually(lambda: unharmed.metric("headway_gateway_connections"), lambda connections: connections == 1)


async def _read_some(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(4096)
    except ConnectionResetError:
        return b""
