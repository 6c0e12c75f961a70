"""The same client for programs without an event loop: it has a loop of its own, which runs while it is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

from headway_events import BatchState

from headway_client.api import BatchInfo
from headway_client.client import PATIENCE_S, HeadwayClient
from headway_client.messages import Message, Update, count
from headway_client.place import Start

Item = TypeVar("Item")


class BlockingClient:
    """`with BlockingClient("http://127.0.0.1:8080") as client`; methods are those of HeadwayClient.

    Not for code that runs in an event loop, such as a notebook's cells: there, HeadwayClient.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        patience_s: float | None = PATIENCE_S,
    ) -> None:
        """Nothing is connected yet; the arguments are those of HeadwayClient."""
        self._client = HeadwayClient(url, token=token, headers=headers, patience_s=patience_s)
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        self._runner.run(self._client.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._runner.run(self._client.__aexit__(kind, error, traceback))
        self._runner.close()

    def follow(self, batch_id: int) -> Iterator[Update]:
        """The batch's counts after each message of its stream; see HeadwayClient.follow."""
        batch = BatchState()
        for messages in self._each(self._client.receive(batch_id, start="snapshot")):
            for message in messages:
                batch = count(batch, message)
                yield Update(batch, message)

    def wait(self, batch_id: int) -> BatchState:
        """The batch's counts once it is finished; see HeadwayClient.wait."""
        return self._runner.run(self._client.wait(batch_id))

    def stream(
        self,
        batch_id: int,
        *,
        start: Start = "earliest",
        last_event_id: str = "",
        stages: Iterable[str] = (),
        event_types: Iterable[str] = (),
    ) -> Iterator[Message]:
        """The messages of the batch's stream, each once and in order; see HeadwayClient.stream."""
        source = self._client.receive(
            batch_id, start=start, last_event_id=last_event_id, stages=stages, event_types=event_types
        )
        for messages in self._each(source):
            yield from messages

    def batch(self, batch_id: int) -> BatchInfo:
        """One batch, as the tables have it; see HeadwayClient.batch."""
        return self._runner.run(self._client.batch(batch_id))

    def batches(self, search: str = "") -> Iterator[BatchInfo]:
        """All batches, newest first; see HeadwayClient.batches."""
        return self._each(self._client.batches(search))

    def get(self, path: str, **query: str) -> Any:
        """The JSON at any address of the API; see HeadwayClient.get."""
        return self._runner.run(self._client.get(path, **query))

    def _each(self, source: AsyncGenerator[Item, None]) -> Iterator[Item]:
        async def following() -> Item:
            return await anext(source)

        try:
            while True:
                try:
                    item = self._runner.run(following())
                except StopAsyncIteration:
                    return
                yield item
        finally:
            self._runner.run(source.aclose())
