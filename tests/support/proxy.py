"""A TCP proxy as bad networks are: what the server sends comes in small pieces, late, and is cut off."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
from collections.abc import AsyncIterator, Iterable

READ_BYTES = 64 * 1024
SMALL_BYTES = 30_000  # of a connection that are sent in pieces of a few bytes; the rest in pieces of any size


class Proxy:
    """Forwards connections to one port; `asked` has the times at which a stream was asked for."""

    def __init__(self, port: int, *, cut_after: Iterable[int] = (), seed: int = 0) -> None:
        """Nothing is listened to yet.

        Args:
            port: the server's.
            cut_after: after so many bytes the first stream is cut, the second one, and so on; those after them are
                left whole.
            seed: makes the pieces the same each time.
        """
        self._port = port
        self._cuts = iter(cut_after)
        self._chance = random.Random(seed)
        self._connections: set[asyncio.Task[None]] = set()
        self.cut = 0
        self.asked: list[float] = []
        self.url = ""

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[Proxy]:
        """Listen, until the body ends."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server:
            try:
                yield self
            finally:
                for connection in self._connections:
                    connection.cancel()
                await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._forward(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError):  # the client or the server has gone
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._port)
            asking = asyncio.create_task(self._ask(reader, to_server))
            try:
                await self._answer(from_server, writer)
            finally:
                asking.cancel()
                to_server.close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(READ_BYTES):
                if data.startswith(b"GET /api/stream"):
                    self.asked.append(asyncio.get_running_loop().time())
                writer.write(data)
                await writer.drain()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent = 0
        cut_after: int | None = None
        while data := await reader.read(READ_BYTES):
            if cut_after is None and b"Content-Type: text/event-stream" in data:
                cut_after = next(self._cuts, sys.maxsize)
                sent = 0
            while data:
                size = self._chance.randint(1, 7 if sent < SMALL_BYTES else READ_BYTES)
                if cut_after is not None and sent + size >= cut_after:
                    writer.write(data[: cut_after - sent])
                    await writer.drain()
                    self.cut += 1
                    return
                writer.write(data[:size])
                await writer.drain()
                await asyncio.sleep(0.001 if self._chance.random() < 0.01 else 0)
                sent += len(data[:size])
                data = data[size:]
