"""What others' clients read from a gateway is the topic, record for record, through the worst of networks.

Nothing here knows how the gateway works: with another address these tests judge any server of the same streams. The
records are written to Kafka as bytes, and come with all that text can do to a protocol made of lines.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator

import aiohttp
import pytest
from headway_client import EventMessage, HeadwayClient
from playwright.async_api import Page

from support import sse_clients
from support.programs import Program
from support.proxy import Proxy
from support.sse import Message, whole
from support.sse_clients import SseClient
from support.topics import Topics

RETRY_S = 2.0  # what the gateway asks for
PROVOKED = re.compile("net::ERR|404")  # what cuts, and a page without an icon, make the browser log
CLIENTS = ["chromium", "npm_eventsource", "python_httpx_sse", "curl", "headway_client"]
TEXTS = {
    "other line ends": "a\u2028b\u2029c\u0085d",
    "no line ends either": r"a\u000bb\fc\u001cd\u0000e",
    "byte order marks": "\ufeffa\ufeff",
    "words of the protocol": r"data: x\n\nid: 99\nevent: y\r\n:retry: 1",
    "several bytes each": "录音 é 😀 \U0010ffff ﷽",
    "a pair": r"\ud83d\ude00",
    "spaces": "   a   ",
    "nothing": "",
}


def records(batch_id: int) -> Iterator[bytes]:
    """A batch whose every record is hard to frame, and whose last one ends it."""
    start = f'{{"eventType":"stage_start","batchId":{batch_id},"stage":"denoise","totalFiles":9'
    for text in TEXTS.values():
        yield f'{start},"note":"{text}"}}'.encode()
    for end in ("\n", "\r", "\r\n"):
        for layout in ("{0}", "{0}{0}", " {0}\t{0} "):
            space = layout.format(end)
            yield f'{space}{start},{space}"note":{space}[1,{space}2]{space}}}{space}'.encode()
    file = '"fileName":"\ufeff録音 data: 1.wav","status":"x"'
    yield f'{{"eventType":"file_complete","batchId":{batch_id},"stage":"denoise",{file}}}'.encode()
    large = "é\u2028" * 190_000  # near the megabyte that Kafka takes
    yield f'{start},"note":"{large}"}}'.encode()
    yield f'{start},"n":12345678901234567890123,"m":1e400}}'.encode()
    yield f'{{"eventType":"batch_complete","batchId":{batch_id}}}'.encode()


@pytest.fixture
async def expected(topics: Topics, batch_id: int) -> list[Message]:
    """What the topic has: line ends of JSON are white space, and become those of the stream."""
    topic = topics.create(batch_id)
    topics.write(topic, [b"not an event"])
    topics.write(topic, records(batch_id))
    found = []
    for record in topics.read(topic, at_least=1)[1:]:
        assert record.value is not None
        text = re.sub("\r\n|\r", "\n", record.value.decode())
        found.append(Message(str(record.offset), json.loads(text)["eventType"], text))
    return found


@pytest.fixture
def client(request: pytest.FixtureRequest) -> Iterator[SseClient]:
    """One of the clients, by name."""
    if request.param == "chromium":
        errors = request.getfixturevalue("console_errors")
        yield sse_clients.chromium(request.getfixturevalue("page"))
        errors[:] = [text for text in errors if not PROVOKED.search(text)]
    elif request.param == "headway_client":
        yield headway_client
    else:
        yield getattr(sse_clients, request.param)


async def headway_client(address: str) -> list[Message]:
    """Our own."""
    url, _, batch_id = address.partition("/api/stream?batchId=")
    found = []
    async with HeadwayClient(url) as client:
        async for message in client.stream(int(batch_id)):
            assert isinstance(message, EventMessage)
            found.append(Message(message.id, message.event.event_type, message.raw.decode()))
    return found


every_client = pytest.mark.parametrize("client", CLIENTS, indirect=True)


@every_client
async def test_each_record_is_one_message_with_the_same_text(
    client: SseClient, gateway: Program, expected: list[Message], batch_id: int
) -> None:
    assert await client(f"{gateway.url}/api/stream?batchId={batch_id}") == expected


@every_client
async def test_pieces_of_any_size_and_cuts_in_the_middle_of_a_message_lose_and_repeat_nothing(
    client: SseClient, gateway: Program, expected: list[Message], batch_id: int
) -> None:
    async with Proxy(gateway.port, cut_after=[700, 1500, 40_000, 450], seed=batch_id).serve() as proxy:
        assert await client(f"{proxy.url}/api/stream?batchId={batch_id}") == expected
        assert proxy.cut == 4


@pytest.mark.parametrize("client", [name for name in CLIENTS if name != "headway_client"], indirect=True)
async def test_the_enveloped_form_has_the_same_text_within(
    client: SseClient, gateway: Program, expected: list[Message], batch_id: int
) -> None:
    found = await client(f"{gateway.url}/api/stream?batchId={batch_id}&format=envelope")
    assert found == [Message(one.id, "message", f'{{"event":"{one.event}","data":{one.data}}}') for one in expected]


async def test_a_browser_waits_as_long_as_it_is_told_and_does_not_come_again_after_204(
    gateway: Program, expected: list[Message], batch_id: int, page: Page, console_errors: list[str]
) -> None:
    async with Proxy(gateway.port, cut_after=[700]).serve() as proxy:
        found = await sse_clients.chromium(page)(f"{proxy.url}/api/stream?batchId={batch_id}")
        assert found == expected
        await asyncio.sleep(1.5 * RETRY_S)  # nothing can be waited for: nothing must come
        first, second, third = proxy.asked
        assert second - first >= RETRY_S
        assert third - second >= RETRY_S
    console_errors[:] = [text for text in console_errors if not PROVOKED.search(text)]


@pytest.mark.parametrize("client", ["chromium", "npm_eventsource"], indirect=True)
async def test_a_stream_whose_last_events_were_filtered_out_is_told_that_it_is_over(
    client: SseClient, gateway: Program, expected: list[Message], batch_id: int
) -> None:
    found = await client(f"{gateway.url}/api/stream?batchId={batch_id}&eventType=file_complete")
    assert found == [one for one in expected if one.event == "file_complete"]


@pytest.mark.parametrize("headers", [{}, {"Last-Event-ID": ""}])
async def test_an_empty_last_event_id_is_none(
    gateway: Program, expected: list[Message], batch_id: int, headers: dict[str, str]
) -> None:
    address = f"{gateway.url}/api/stream?batchId={batch_id}&from=5"
    async with aiohttp.ClientSession() as session, session.get(address, headers=headers) as response:
        body = await response.read()
    assert body.startswith(b"retry: 2000\n\n")
    assert whole(body) == expected[4:]


async def test_a_file_events_status_is_added_where_the_record_has_none(
    gateway: Program, topics: Topics, batch_id: int
) -> None:
    value = b'{"eventType":"file_error","batchId":%d,"stage":"a","fileName":"b"\r\n}\r\n ' % batch_id
    topics.write(topics.create(batch_id), [value, b'{"eventType":"batch_complete","batchId":%d}' % batch_id])
    found = await sse_clients.curl(f"{gateway.url}/api/stream?batchId={batch_id}")
    assert found[0].json() == {**json.loads(value), "status": "error"}
