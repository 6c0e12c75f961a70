"""The client: streams that resume by themselves, and the JSON API, over one HTTP session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import aiohttp
import msgspec
from headway_events import BatchState
from yarl import URL

from headway_client.api import BatchInfo, BatchPage
from headway_client.connection import Connection
from headway_client.errors import BadStream, ClientError, GatewayAway, problem
from headway_client.messages import Message, Update, count
from headway_client.place import Place, Start, describe
from headway_client.reconnection import MOST_S

PATIENCE_S: Final = 300.0  # arbitrary: longer than a gateway takes to be restarted or replaced
CONNECT_TIMEOUT_S: Final = 10.0
SILENCE_S: Final = 50.0  # three of the heartbeats that a gateway sends when nothing happens
ANSWER_TIMEOUT: Final = aiohttp.ClientTimeout(total=30.0)
STREAM_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=SILENCE_S)
AWAY: Final = (aiohttp.ClientError, OSError, TimeoutError)

Document = TypeVar("Document")


class HeadwayClient:
    """A client of one gateway, to be entered: `async with HeadwayClient("http://127.0.0.1:8080") as client`."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        patience_s: float | None = PATIENCE_S,
        most_delay_s: float = MOST_S,
    ) -> None:
        """Nothing is connected yet.

        Args:
            url: the gateway's address, with the path below which it is served if there is one.
            token: sent as `Authorization: Bearer ...`.
            headers: sent with every request.
            patience_s: how long a stream goes on trying while nothing answers, before GatewayAway; None is for ever.
            most_delay_s: the longest pause between two tries; short where people look on, long where programs are many.
        """
        self._url = url.rstrip("/")
        self._headers = {**(headers or {}), **({} if token is None else {"Authorization": f"Bearer {token}"})}
        self._patience_s = patience_s
        self._most_delay_s = most_delay_s
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(headers=self._headers)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def follow(self, batch_id: int) -> AsyncGenerator[Update, None]:
        """The batch's counts after each message of its stream, from a snapshot on, until the batch is finished.

        Raises:
            Problem: the gateway refuses; NotFound for a batch that has not begun.
            GatewayAway, BadStream: see there.
        """
        batch = BatchState()
        async with aclosing(self.receive(batch_id, start="snapshot")) as received:
            async for messages in received:
                for message in messages:
                    batch = count(batch, message)
                    yield Update(batch, message)

    async def wait(self, batch_id: int) -> BatchState:
        """The batch's counts once it is finished; raises what `follow` raises."""
        batch = BatchState()
        async for messages in self.receive(batch_id, start="snapshot"):
            for message in messages:
                batch = count(batch, message)
        return batch

    async def stream(
        self,
        batch_id: int,
        *,
        start: Start = "earliest",
        last_event_id: str = "",
        stages: Iterable[str] = (),
        event_types: Iterable[str] = (),
    ) -> AsyncGenerator[Message, None]:
        """The messages of the batch's stream, each once and in order, until the batch is finished.

        Args:
            batch_id: the batch.
            start: `earliest`, `latest`, `snapshot`, an offset, or the time of the first event wanted.
            last_event_id: the `id` of a message: go on after it; `start` is then not looked at.
            stages: only these; all by default.
            event_types: only these; all by default.

        Raises:
            Problem: the gateway refuses; NotFound for a batch that has not begun.
            GatewayAway, BadStream: see there.
        """
        source = self.receive(
            batch_id, start=start, last_event_id=last_event_id, stages=stages, event_types=event_types
        )
        async with aclosing(source) as received:
            async for messages in received:
                for message in messages:
                    yield message

    async def batch(self, batch_id: int) -> BatchInfo:
        """One batch, as the tables have it.

        Raises:
            Problem: the gateway refuses; NotFound for a batch that has not begun.
            GatewayAway: it does not answer.
            BadStream: what answers is no gateway.
        """
        return _read(await self._get(f"/api/batches/{batch_id}"), BatchInfo)

    async def batches(self, search: str = "") -> AsyncGenerator[BatchInfo, None]:
        """All batches, newest first, whose name or id contains `search`; raises what `batch` raises."""
        query: Mapping[str, str] | None = {"q": search}
        while query is not None:
            page = _read(await self._get("/api/batches", query), BatchPage)
            for batch in page.batches:
                yield batch
            query = None if page.next is None else URL(page.next).query

    async def get(self, path: str, **query: str) -> Any:
        """The JSON at any address of the API, such as `get("/api/batches/123/events", order="desc")`.

        Raises:
            Problem: the gateway refuses.
            GatewayAway: it does not answer.
            BadStream: what answers is no gateway.
        """
        return _read(await self._get(path, query), Any)

    async def receive(
        self,
        batch_id: int,
        *,
        start: Start,
        last_event_id: str = "",
        stages: Iterable[str] = (),
        event_types: Iterable[str] = (),
        on_connection: Callable[[Connection], None] = lambda _: None,
    ) -> AsyncGenerator[list[Message], None]:
        """The same as `stream`, as many messages at a time as have arrived: half the time for one who replays much.

        `on_connection` is told whenever the stream is there, and of each try that failed.
        """
        place = Place(batch_id, start, last_event_id, stages, event_types, patience_s=self._patience_s)
        place.reconnection.most_s = self._most_delay_s
        while True:
            try:
                async with self._opened().get(
                    f"{self._url}/api/stream", params=place.query(), headers=place.headers(), timeout=STREAM_TIMEOUT
                ) as response:
                    if response.status == HTTPStatus.NO_CONTENT:
                        return
                    if response.status == HTTPStatus.OK:
                        place.opened(response.content_type)
                        on_connection(Connection(live=True))
                        async for chunk in response.content.iter_any():
                            if messages := place.take(chunk):
                                yield messages
                        place.ended()
                    else:
                        place.refused(response.status, await response.read(), response.headers.get("Retry-After"))
            except AWAY as error:
                place.lost(error)
            delay_s = place.delay_s()
            if place.away:
                on_connection(Connection(live=False, reason=place.wrong))
            await asyncio.sleep(delay_s)

    async def _get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        try:
            async with self._opened().get(f"{self._url}{path}", params=query, timeout=ANSWER_TIMEOUT) as response:
                body = await response.read()
        except AWAY as error:
            raise GatewayAway(f"{self._url} does not answer: {describe(error)}") from error
        if response.status != HTTPStatus.OK:
            raise problem(response.status, body)
        return body

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise ClientError("The client is not open: use it in `async with HeadwayClient(...) as client`")
        return self._session


def converted(found: Any, kind: type[Document]) -> Document:
    """What `HeadwayClient.get` gives, as a type.

    Raises:
        BadStream: it is not what a gateway answers.
    """
    try:
        return msgspec.convert(found, kind)
    except msgspec.ValidationError as error:
        raise _no_gateway(error) from error


def _read(body: bytes, kind: type[Document]) -> Document:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _no_gateway(error) from error


def _no_gateway(error: Exception) -> BadStream:
    return BadStream(f"Not what a gateway answers ({error}): is there a Headway gateway at the address?")
