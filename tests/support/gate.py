"""A port behind which Kafka is away until the gate is opened."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from infra.local.service import free_port

READ_BYTES = 64 * 1024


class Gate:
    """Refuses connections, and once opened forwards them to Kafka; clients then also find Kafka's own address."""

    def __init__(self, bootstrap: str) -> None:
        """Nothing is listened to yet.

        Args:
            bootstrap: Kafka's own address.
        """
        host, _, port = bootstrap.rpartition(":")
        self._kafka = (host, int(port))
        self._port = free_port()
        self._listening: socket.socket | None = None
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.bootstrap = f"127.0.0.1:{self._port}"

    def open(self) -> None:
        """Kafka is back."""
        self._listening = socket.create_server(("127.0.0.1", self._port))
        self._open.append(self._listening)
        self._run(self._accept, self._listening)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)  # which wakes who waits for it; a close does not
        for thread in self._threads:
            thread.join()
        for one in self._open:
            one.close()

    def _run(self, function: Callable[..., None], *arguments: socket.socket) -> None:
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            self._open.append(client)
            try:
                server = socket.create_connection(self._kafka)
            except OSError:  # it is away by itself
                client.close()
                continue
            self._open.append(server)
            self._run(_forward, client, server)
            self._run(_forward, server, client)


def _forward(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):  # one of the two has gone
        while data := source.recv(READ_BYTES):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)
