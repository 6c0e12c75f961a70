"""The clients of the benchmark of streams, at a server that ends its streams early."""

from __future__ import annotations

import re
import socketserver
import threading
from collections.abc import Iterator

import pytest

from bench.peers.resuming_clients import resuming_clients

GREETING = b":\n"
EVENTS = [b"event: x\nid: %d\ndata: %b\n\n" % (number, b"d" * number) for number in range(1, 8)]
AT_A_TIME = 3


class EndsEarly(socketserver.ThreadingTCPServer):
    """Sends three events after the last that a client has, and the beginning of the next."""

    daemon_threads = True

    def __init__(self, events: list[bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.events = events
        self.asked: list[int] = []


class Answer(socketserver.StreamRequestHandler):
    """One stream."""

    server: EndsEarly

    def handle(self) -> None:
        """Answer."""
        request = b"".join(iter(self.rfile.readline, b"\r\n"))
        last = re.search(rb"Last-Event-ID: (\d+)", request)
        after = int(last[1]) if last else 0
        self.server.asked.append(after)
        cut_off = b"".join(self.server.events[after + AT_A_TIME :])[:12]
        events = b"".join(self.server.events[after : after + AT_A_TIME])
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + GREETING + events + cut_off)


@pytest.fixture
def server() -> Iterator[EndsEarly]:
    with EndsEarly(EVENTS) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_clients_whose_stream_ends_go_on_after_their_last_whole_event(server: EndsEarly) -> None:
    with resuming_clients(server.server_address[1], "/", 2, GREETING) as clients:
        clients.begin(len(b"".join(EVENTS)))
        read = clients.done()
    assert read.last_ids == {b"7"}
    assert read.connections == 6
    assert sorted(server.asked) == [0, 0, 3, 3, 6, 6]


def test_a_stream_that_ends_without_an_event_is_an_error(server: EndsEarly) -> None:
    with resuming_clients(server.server_address[1], "/", 1, GREETING) as clients:
        clients.begin(len(b"".join(EVENTS)) + 1)
        with pytest.raises(RuntimeError, match="ended without an event"):
            clients.done()


def test_another_greeting_than_the_servers_is_an_error(server: EndsEarly) -> None:
    with resuming_clients(server.server_address[1], "/", 1, b"retry: 1\n\n") as clients:
        clients.begin(1)
        with pytest.raises(RuntimeError, match="is answered"):
            clients.done()
