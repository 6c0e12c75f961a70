"""The servers that the benchmarks run on: a Kafka and a PostgreSQL of their own, durable by default, on free ports."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg
import psutil
from confluent_kafka.admin import AdminClient
from headway_events import TopicNames

from infra.local import tools
from infra.local.kafka import START_TIMEOUT_S, KafkaBroker
from infra.local.postgres import PostgresServer
from infra.local.service import Service, free_port
from infra.local.settings import StackSettings
from infra.local.stack import answers, program

ADMIN_TIMEOUT_S = 60.0
JARS = StackSettings.from_environment().jars


@dataclass(frozen=True)
class BenchStack:
    """Running servers, the topics and the database of one installation on them, and programs as they are asked for."""

    kafka: KafkaBroker
    postgres: PostgresServer
    names: TopicNames
    database_url: str
    directory: Path

    @property
    def bootstrap(self) -> str:
        """Kafka's address."""
        return self.kafka.bootstrap

    @contextmanager
    def apart(self) -> Iterator[BenchStack]:
        """The same servers with new topics and a new database, gone afterwards: rounds begin with empty tables."""
        mine = f"b{uuid.uuid4().hex[:12]}"
        names = TopicNames(prefix=f"{mine}-batch-", registry=f"{mine}-batches", dead_letters=f"{mine}-dead-letters")
        asyncio.run(self.execute(f"CREATE DATABASE {mine}"))
        try:
            yield replace(self, names=names, database_url=f"{self.database_url.rpartition('/')[0]}/{mine}")
        finally:
            asyncio.run(self.execute(f"DROP DATABASE {mine} WITH (FORCE)"))
            self._delete_topics(mine)

    async def execute(self, statement: str) -> None:
        """Run one statement in this installation's database."""
        connection = await asyncpg.connect(self.database_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def fetch_row(self, query: str) -> asyncpg.Record:
        """The one row of a query in this installation's database."""
        connection = await asyncpg.connect(self.database_url)
        try:
            (row,) = await connection.fetch(query)
        finally:
            await connection.close()
        return row

    @contextmanager
    def projector(self, **settings: str) -> Iterator[Service]:
        """A running projector with settings of its own."""
        with self._program("headway-projector", "HEADWAY_PROJECTOR_HEALTH_PORT", free_port(), settings) as service:
            yield service

    @contextmanager
    def gateway(self, **settings: str) -> Iterator[int]:
        """A running gateway with settings of its own; its port."""
        with self.gateway_process(**settings) as (port, _):
            yield port

    @contextmanager
    def gateway_process(self, **settings: str) -> Iterator[tuple[int, psutil.Process]]:
        """A running gateway with settings of its own; its port and its process."""
        port = free_port()
        with self._program("headway-gateway", "HEADWAY_GATEWAY_PORT", port, settings) as service:
            process = service.process()
            assert process is not None
            yield port, process

    @property
    def environment(self) -> dict[str, str]:
        """The settings that make Headway's programs this installation's."""
        return {
            "HEADWAY_KAFKA_BOOTSTRAP": self.bootstrap,
            "HEADWAY_DATABASE_URL": self.database_url,
            "HEADWAY_TOPIC_PREFIX": self.names.prefix,
            "HEADWAY_REGISTRY_TOPIC": self.names.registry,
            "HEADWAY_DEAD_LETTER_TOPIC": self.names.dead_letters,
            "HEADWAY_PROJECTOR_APP_ID": f"projector-{self.names.registry}",
        }

    @contextmanager
    def _program(
        self, name: str, port_setting: str, port: int, settings: Mapping[str, str] | None = None
    ) -> Iterator[Service]:
        service = Service(
            name=name,
            command=lambda: [program(name), "run"],
            directory=self.directory / "logs" / str(port),  # each of several has files of its own
            healthy=lambda: answers(f"http://127.0.0.1:{port}/healthz"),
            environment={**self.environment, port_setting: str(port), **(settings or {})},
            tied=True,
        )
        service.start()
        try:
            service.wait(START_TIMEOUT_S)
            time.sleep(1)  # its start-up work is not what is measured
            yield service
        finally:
            service.stop()

    def _delete_topics(self, beginning: str) -> None:
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 3})
        topics = [name for name in admin.list_topics(timeout=ADMIN_TIMEOUT_S).topics if name.startswith(beginning)]
        for deleted in admin.delete_topics(topics).values() if topics else ():
            deleted.result(timeout=ADMIN_TIMEOUT_S)


@contextmanager
def bench_stack() -> Iterator[BenchStack]:
    """Servers for one question; nothing is left of them."""
    directory = Path(tempfile.mkdtemp(prefix="headway-bench-"))
    directory.chmod(0o755)  # PostgreSQL runs as another user where this one is root
    kafka = KafkaBroker(
        directory / "kafka", jars=tools.kafka_jars(JARS), port=free_port(), controller_port=free_port(), tied=True
    )
    postgres = PostgresServer(
        directory / "logs",
        data=directory / "postgres",
        port=free_port(),
        options={"track_commit_timestamp": "on"},  # see backlog.py
        tied=True,
    )
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        for service in (kafka, postgres):
            stack.callback(service.stop)
            service.start()
            service.wait(START_TIMEOUT_S)
        yield BenchStack(kafka, postgres, TopicNames(), postgres.database_url, directory)
