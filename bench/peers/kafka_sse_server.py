"""Wikimedia's KafkaSSE (`kafka_sse/server.js`) in the gateway's place: the same topics, a Kafka consumer a client.

Each event is taken from Kafka in a thread of libuv and written in three parts. As the tests of KafkaSSE do, it gets
more such threads than Node.js has by itself, so that no client waits for one.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.peers.streaming import PROGRAMS, Message, publish_to_kafka
from bench.stack import BenchStack
from infra.local.errors import MissingTool
from infra.local.kafka import START_TIMEOUT_S
from infra.local.service import Service, free_port
from infra.local.stack import answers

SOURCE: Final = Path(__file__).with_name("kafka_sse")
FILES: Final = ("package.json", "server.js", "package-lock.json")  # the last one says that all is installed
THREADS: Final = 1_024  # libuv's maximum
REMEDY: Final = "Install Node.js 20 with npm, and a C++ compiler, make and Python, which build node-rdkafka"


def frame(topic: str, offset: int, value: bytes) -> bytes:
    """An event as KafkaSSE sends it. Its id has the offset to go on from.

    Source: https://github.com/wikimedia/KafkaSSE/blob/master/lib/SSEResponse.js
    """
    return b"event: message\nid: %b\ndata: %b\n\n" % (event_id(topic, offset), value)


def event_id(topic: str, offset: int) -> bytes:
    """The id of the event at an offset."""
    return b'[{"topic":"%b","partition":0,"offset":%d}]' % (topic.encode(), offset + 1)


@dataclass(frozen=True)
class KafkaSse:
    """A running KafkaSSE."""

    stack: BenchStack
    port: int
    greeting: bytes = b":ok\n\n"

    def path(self, batch_id: int) -> str:
        """Where a client gets all events of a batch."""
        return f"/{self.stack.names.of_batch(batch_id)}"

    def size(self, batch_id: int, messages: Sequence[Message]) -> int:
        """The bytes that it sends for these events, the batch's first."""
        topic = self.stack.names.of_batch(batch_id)
        return sum(len(frame(topic, offset, message.value)) for offset, message in enumerate(messages))

    def event_id(self, batch_id: int, number: int) -> bytes:
        """The id of a batch's event."""
        return event_id(self.stack.names.of_batch(batch_id), number)

    def publish(self, batch_id: int, messages: Sequence[Message], begin: int) -> None:
        """Write records, as for ours."""
        publish_to_kafka(self.stack, batch_id, messages)


@contextmanager
def kafka_sse(stack: BenchStack) -> Iterator[KafkaSse]:
    """A running KafkaSSE."""
    port = free_port()
    service = Service(
        name="kafka-sse",
        command=lambda: ["node", str(_installed() / "server.js"), str(port), stack.bootstrap],
        directory=stack.directory / "kafka-sse",
        healthy=lambda: answers(f"http://127.0.0.1:{port}/healthz"),
        environment={"UV_THREADPOOL_SIZE": str(THREADS)},
        tied=True,
    )
    service.start()
    try:
        service.wait(START_TIMEOUT_S)
        yield KafkaSse(stack, port)
    finally:
        service.stop()


def _installed() -> Path:
    """The server beside its packages, which npm installs unless those of this very lock are there already.

    Raises:
        MissingTool: npm is not installed, or could not install them.
    """
    directory = PROGRAMS / "kafka_sse"
    directory.mkdir(parents=True, exist_ok=True)
    if all(_is_current(directory / name) for name in FILES):
        return directory
    npm = shutil.which("npm")
    if npm is None:
        raise MissingTool("npm", REMEDY)
    for name in FILES:
        shutil.copy(SOURCE / name, directory)
    command = [npm, "ci", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        (directory / FILES[-1]).unlink()
        raise MissingTool("KafkaSSE", f"{REMEDY}. npm said:\n{done.stderr[-2000:]}")
    return directory


def _is_current(installed: Path) -> bool:
    return installed.exists() and installed.read_bytes() == (SOURCE / installed.name).read_bytes()
