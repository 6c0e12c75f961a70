"""Many clients of one server in a process of their own, which do nothing but take bytes: no bottleneck.

They ask by HTTP/1.0, so that the answer's body comes as it is, without chunks, and its length says what has come.
"""

from __future__ import annotations

import multiprocessing
import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, Final

READ_BYTES: Final = 1 << 20
TIMEOUT_S: Final = 120.0
_ID: Final = b"\nid: "


class Clients:
    """The process's other end."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def join(self) -> None:
        """Connect and ask, all at once; returns when each has asked."""
        self._pipe.send("join")
        self._answer()

    def read(self, size: int) -> float:
        """Take bodies up to this many bytes each; when (`time.perf_counter`) the last of them had so much."""
        self._pipe.send(size)
        at: float = self._answer()
        return at

    def arrivals(self) -> list[dict[int, float]]:
        """Of each client, when the bytes came in which each id was last. Only where `note_ids` was set."""
        self._pipe.send("arrivals")
        found: list[dict[int, float]] = self._answer()
        return found

    def _answer(self) -> Any:
        if not self._pipe.poll(TIMEOUT_S):
            raise RuntimeError(f"The clients did not get what they wait for within {TIMEOUT_S:g} s")
        answer = self._pipe.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer


@contextmanager
def sse_clients(port: int, path: str, count: int, *, note_ids: bool = False) -> Iterator[Clients]:
    """So many clients of one address, not connected yet."""
    ours, theirs = multiprocessing.Pipe()
    arguments = (theirs, port, path, count, note_ids)
    process = multiprocessing.get_context("spawn").Process(target=_run, args=arguments, daemon=True)
    process.start()
    try:
        ours.recv()  # it runs
        yield Clients(ours)
    finally:
        process.terminate()
        process.join()


class _Client:
    def __init__(self, port: int, path: str) -> None:
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
        self.connection.sendall(f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        self.connection.setblocking(False)
        self.size = 0  # of the body so far
        self.arrivals: dict[int, float] = {}
        self._head: bytes | None = b""  # None: it is complete

    def take(self, data: memoryview) -> None:
        """Some more bytes of the answer."""
        self.size += len(data)
        if self._head is None:
            return
        self._head += bytes(data)
        head, end, body = self._head.partition(b"\r\n\r\n")
        if end:
            if b" 200 " not in head.partition(b"\r\n")[0]:
                raise RuntimeError(f"The answer is {head[:200]!r}")
            self._head, self.size = None, len(body)

    def has(self, size: int) -> bool:
        """Whether so many bytes of the body have come."""
        return self._head is None and self.size >= size

    def note(self, data: memoryview, at: float) -> None:
        """The last id in some bytes: all before it came no later."""
        text = bytes(data)
        begin = text.rfind(_ID)
        end = text.find(b"\n", begin + len(_ID))
        if begin >= 0 and end >= 0:
            self.arrivals[int(text[begin + len(_ID) : end])] = at


def _run(pipe: Connection, port: int, path: str, count: int, note_ids: bool) -> None:
    pipe.send("running")
    try:
        assert pipe.recv() == "join"
        clients = [_Client(port, path) for _ in range(count)]
        pipe.send("joined")
        while True:
            order = pipe.recv()
            if order == "arrivals":
                pipe.send([client.arrivals for client in clients])
            else:
                pipe.send(_read(clients, order, note_ids))
    except Exception as error:  # noqa: BLE001 - said by the other end
        pipe.send(RuntimeError(f"A client failed: {error!r}"))


def _read(clients: list[_Client], size: int, note_ids: bool) -> float:
    selector = selectors.EpollSelector()
    waiting = 0
    for client in clients:
        if not client.has(size):
            selector.register(client.connection, selectors.EVENT_READ, client)
            waiting += 1
    buffer = memoryview(bytearray(READ_BYTES))
    at = time.perf_counter()
    while waiting:
        ready = selector.select(TIMEOUT_S)
        if not ready:
            raise RuntimeError(f"{waiting} clients wait for more")
        for key, _ in ready:
            client = key.data
            taken = client.connection.recv_into(buffer)
            at = time.perf_counter()
            client.take(buffer[:taken])
            if note_ids:
                client.note(buffer[:taken], at)
            if client.has(size) or not taken:
                selector.unregister(client.connection)
                waiting -= 1
                if not client.has(size):
                    raise RuntimeError(f"A stream ended after {client.size} bytes of {size}")
    selector.close()
    return at
