"""A Mercure hub (`mercure/main.go`) in the place of Kafka and the gateway: it keeps the history itself, in Bolt.

Bolt writes each update to the disk before the next is taken; Kafka, as our events go there, leaves that to the system
and to its other brokers. A subscriber gets at most 1,000 events of history in a connection, for which the hub has room:
then the hub ends the stream, and the client asks for what follows. Version 0.22.1, since 0.24.2 finds no id beyond the
first 10,000 events of the history (https://github.com/dunglas/mercure/issues/1382): a client would never have them all.
"""

from __future__ import annotations

import shutil
import subprocess
import urllib.request
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.peers.streaming import PROGRAMS, Message
from bench.stack import BenchStack
from infra.local.errors import MissingTool
from infra.local.kafka import START_TIMEOUT_S
from infra.local.service import Service, free_port
from infra.local.stack import answers

SOURCE: Final = Path(__file__).with_name("mercure")
PUBLISH_TIMEOUT_S: Final = 600.0  # a disk that takes 20 ms for each of 20,000 events


def frame(number: int, event_type: str, value: bytes) -> bytes:
    """An event as the hub sends it.

    Source: https://github.com/dunglas/mercure/blob/v0.22.1/event.go
    """
    return b"event: %b\nid: %d\ndata: %b\n\n" % (event_type.encode(), number, value)


def update(number: int, message: Message) -> bytes:
    """A line of what `mercure/main.go` takes."""
    return b"%d\t%b\t%b\n" % (number, message.event_type.encode(), message.value)


@dataclass(frozen=True)
class MercureHub:
    """A running hub."""

    port: int
    greeting: bytes = b":\n"

    def path(self, batch_id: int) -> str:
        """Where a client gets all events of a batch."""
        return f"/.well-known/mercure?topic={batch_id}&lastEventID=earliest"

    def size(self, batch_id: int, messages: Sequence[Message]) -> int:
        """The bytes that it sends for these events, the batch's first."""
        return sum(len(frame(number, message.event_type, message.value)) for number, message in enumerate(messages))

    def event_id(self, batch_id: int, number: int) -> bytes:
        """The id of a batch's event."""
        return b"%d" % number

    def publish(self, batch_id: int, messages: Sequence[Message], begin: int) -> None:
        """Have the hub publish events one after the other."""
        body = b"".join(update(number, message) for number, message in enumerate(messages, begin))
        url = f"http://127.0.0.1:{self.port}/publish?topic={batch_id}"
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=PUBLISH_TIMEOUT_S):
            pass


@contextmanager
def mercure_hub(stack: BenchStack) -> Iterator[MercureHub]:
    """A hub without history."""
    port = free_port()
    history = stack.directory / "mercure" / f"{uuid.uuid4().hex}.db"
    service = Service(
        name="mercure",
        command=lambda: [str(_program()), "-address", f"127.0.0.1:{port}", "-history", str(history)],
        directory=history.parent,
        healthy=lambda: answers(f"http://127.0.0.1:{port}/healthz"),
        tied=True,
    )
    service.start()
    try:
        service.wait(START_TIMEOUT_S)
        yield MercureHub(port)
    finally:
        service.stop()


def _program() -> Path:
    """The hub, built by Go, which knows what it has built before.

    Raises:
        MissingTool: Go is not installed, or could not build it.
    """
    go = shutil.which("go")
    if go is None:
        raise MissingTool("go", "Install Go 1.26 or newer: https://go.dev/doc/install")
    program = PROGRAMS / "mercure" / "hub"
    command = [go, "build", "-buildvcs=false", "-o", str(program), "."]
    done = subprocess.run(command, cwd=SOURCE, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise MissingTool(f"The Mercure hub of {SOURCE}", f"Go could not build it:\n{done.stderr[-2000:]}")
    return program
