"""The servers that the benchmarks run on: a Kafka and a PostgreSQL of their own, durable by default, on free ports."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from headway_events import TopicNames

from infra.local import tools
from infra.local.kafka import START_TIMEOUT_S, KafkaBroker
from infra.local.postgres import PostgresServer
from infra.local.service import Service, free_port
from infra.local.settings import StackSettings
from infra.local.stack import answers, program


@dataclass(frozen=True)
class BenchStack:
    """Running servers, and Headway's programs as they are asked for."""

    bootstrap: str
    database_url: str
    names: TopicNames
    directory: Path

    @contextmanager
    def projector(self) -> Iterator[None]:
        """A running projector."""
        with self._program("headway-projector", "HEADWAY_PROJECTOR_HEALTH_PORT", free_port()):
            yield

    @contextmanager
    def gateway(self) -> Iterator[int]:
        """A running gateway; its port."""
        port = free_port()
        with self._program("headway-gateway", "HEADWAY_GATEWAY_PORT", port):
            yield port

    @contextmanager
    def _program(self, name: str, port_setting: str, port: int) -> Iterator[None]:
        service = Service(
            name=name,
            command=lambda: [program(name), "run"],
            directory=self.directory / "logs",
            healthy=lambda: answers(f"http://127.0.0.1:{port}/healthz"),
            environment={
                "HEADWAY_KAFKA_BOOTSTRAP": self.bootstrap,
                "HEADWAY_DATABASE_URL": self.database_url,
                port_setting: str(port),
            },
            tied=True,
        )
        service.start()
        try:
            service.wait(START_TIMEOUT_S)
            time.sleep(1)  # its start-up work is not what is measured
            yield
        finally:
            service.stop()


@contextmanager
def bench_stack() -> Iterator[BenchStack]:
    """Servers for one run of the benchmarks; nothing is left of them."""
    directory = Path(tempfile.mkdtemp(prefix="headway-bench-"))
    directory.chmod(0o755)  # PostgreSQL runs as another user where this one is root
    kafka = KafkaBroker(
        directory / "kafka",
        jars=tools.kafka_jars(StackSettings.from_environment().state_dir / "jars"),
        port=free_port(),
        controller_port=free_port(),
        tied=True,
    )
    postgres = PostgresServer(directory / "logs", data=directory / "postgres", port=free_port(), tied=True)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        for service in (kafka, postgres):
            stack.callback(service.stop)
            service.start()
            service.wait(START_TIMEOUT_S)
        yield BenchStack(kafka.bootstrap, postgres.database_url, TopicNames(), directory)
