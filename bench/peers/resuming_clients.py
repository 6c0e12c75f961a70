"""Many clients of any server of SSE, in a process of their own, which only take bytes: no bottleneck.

As an `EventSource` does, a client whose stream ends asks again with the last id that it has; unlike one, it does not
wait before. What a server sends before the first event of a connection is not counted. As in `bench/sse_clients.py`,
they ask by HTTP/1.0, so that the answer's body comes as it is. They ask all at once and wait for all answers together:
a server may take long before it answers.
"""

from __future__ import annotations

import multiprocessing
import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, Final, NamedTuple

READ_BYTES: Final = 1 << 20
QUIET_S: Final = 120.0  # without a byte for anyone: something is wrong
TIMEOUT_S: Final = 1_200.0  # for all of it; the slowest takes minutes
TAIL_BYTES: Final = 4_096  # several events: the last id is among them
_ID: Final = b"\nid: "


class Read(NamedTuple):
    """That every client has what was waited for."""

    at: float  # `time.perf_counter` of the last byte
    connections: int  # so far, of all clients
    last_ids: set[bytes | None]


def last_id(tail: bytes) -> bytes | None:
    """The id of the last whole event in the end of a stream, or None if there is none."""
    whole = tail[: tail.rfind(b"\n\n") + 1]
    begin = whole.rfind(_ID)
    if begin < 0:
        return None
    return whole[begin + len(_ID) : whole.index(b"\n", begin + len(_ID))]


class ResumingClients:
    """The process's other end."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def begin(self, size: int) -> None:
        """Have each take this many bytes of events in all, those of former calls included; they join at the first."""
        self._pipe.send(size)

    def done(self) -> Read:
        """Wait until all have."""
        return Read(*self._answer())

    def wait(self) -> None:
        """Wait until the process has started, which is not what is measured."""
        self._answer()

    def _answer(self) -> Any:
        if not self._pipe.poll(TIMEOUT_S):
            raise RuntimeError(f"The clients did not get what they wait for within {TIMEOUT_S:g} s")
        answer: Any = self._pipe.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer


@contextmanager
def resuming_clients(port: int, path: str, count: int, greeting: bytes) -> Iterator[ResumingClients]:
    """So many clients of one address, not connected yet; `greeting` is what the server sends before events."""
    ours, theirs = multiprocessing.Pipe()
    arguments = (theirs, port, path, count, greeting)
    process = multiprocessing.get_context("spawn").Process(target=_run, args=arguments, daemon=True)
    process.start()
    try:
        clients = ResumingClients(ours)
        clients.wait()
        yield clients
    finally:
        process.terminate()
        process.join()


class _Client:
    def __init__(self, port: int, path: str, greeting: bytes) -> None:
        self._port = port
        self._path = path
        self._greeting = greeting
        self.size = 0
        self.connections = 0
        self._tail = b"\n"
        self._resumes_after: bytes | None = None
        self.connect()

    def connect(self) -> None:
        """Ask for what follows the last event."""
        self.connection = socket.create_connection(("127.0.0.1", self._port), timeout=QUIET_S)
        self.connections += 1
        after = b"" if self._resumes_after is None else b"Last-Event-ID: %b\r\n" % self._resumes_after
        request = b"GET %b HTTP/1.0\r\nHost: 127.0.0.1:%d\r\n%b\r\n" % (self._path.encode(), self._port, after)
        self.connection.sendall(request)
        self.connection.setblocking(False)
        self._head: bytes | None = b""

    def take(self, data: memoryview) -> None:
        """Count what has come."""
        if self._head is not None:
            self._head += data
            head, parted, body = self._head.partition(b"\r\n\r\n")
            if not parted or len(body) < len(self._greeting):
                return
            if b" 200 " not in head.partition(b"\r\n")[0] or not body.startswith(self._greeting):
                raise RuntimeError(f"{self._path} is answered {self._head[:400]!r}")
            self._head, data = None, memoryview(body)[len(self._greeting) :]
        self.size += len(data)
        self._tail = bytes(data[-TAIL_BYTES:]) if len(data) >= TAIL_BYTES else (self._tail + data)[-TAIL_BYTES:]

    @property
    def last_id(self) -> bytes | None:
        """The id of the last whole event."""
        return last_id(self._tail)

    def resume(self) -> None:
        """Go on where the stream ended. A part of an event that it ended with does not count, as in an `EventSource`.

        Raises:
            RuntimeError: it ended without an event.
        """
        self.connection.close()
        whole = self._tail.rfind(b"\n\n") + 2
        self.size -= len(self._tail) - whole
        self._tail = self._tail[:whole]
        before, self._resumes_after = self._resumes_after, self.last_id
        if self._resumes_after in {None, before}:
            raise RuntimeError(f"A stream ended without an event after {self.size} bytes and the id {before!r}")
        self.connect()


def _run(pipe: Connection, port: int, path: str, count: int, greeting: bytes) -> None:
    pipe.send("ready")
    try:
        size: int = pipe.recv()
        clients = [_Client(port, path, greeting) for _ in range(count)]
        while True:
            at = _read(clients, size)
            pipe.send((at, sum(client.connections for client in clients), {client.last_id for client in clients}))
            size = pipe.recv()
    except Exception as error:  # noqa: BLE001 - said by the other end
        pipe.send(RuntimeError(f"A client failed: {error!r}"))


def _read(clients: list[_Client], size: int) -> float:
    selector = selectors.EpollSelector()
    waiting = [client for client in clients if client.size < size]
    for client in waiting:
        selector.register(client.connection, selectors.EVENT_READ, client)
    left = len(waiting)
    buffer = memoryview(bytearray(READ_BYTES))
    at = time.perf_counter()
    while left:
        ready = selector.select(QUIET_S)
        if not ready:
            raise RuntimeError(f"{left} clients have had nothing for {QUIET_S:g} s")
        for key, _ in ready:
            client = key.data
            taken = client.connection.recv_into(buffer)
            at = time.perf_counter()
            client.take(buffer[:taken])
            if client.size >= size:
                selector.unregister(client.connection)
                left -= 1
            elif not taken:
                selector.unregister(client.connection)
                client.resume()
                selector.register(client.connection, selectors.EVENT_READ, client)
    selector.close()
    if found := {client.size for client in clients} - {size}:
        raise RuntimeError(f"Expected {size} bytes of events for each client, some took {sorted(found)}")
    return at
