"""A port behind which Kafka is away until the gate is opened."""

from __future__ import annotations

import socket
import threading
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
        self.bootstrap = f"127.0.0.1:{self._port}"

    def open(self) -> None:
        """Kafka is back."""
        self._listening = socket.create_server(("127.0.0.1", self._port))
        threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._listening is not None:
            self._listening.close()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            server = socket.create_connection(self._kafka)
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=_forward, args=(source, sink), daemon=True).start()


def _forward(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(READ_BYTES):
            sink.sendall(data)
    except OSError:
        pass  # one of the two has gone
    finally:
        sink.close()
