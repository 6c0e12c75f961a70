"""Kafka and PostgreSQL for a test session: the local stack's, or containers where asked for or where its tools lack."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.local import tools
from infra.local.errors import MissingTool
from infra.local.kafka import START_TIMEOUT_S, KafkaBroker, KafkaCluster
from infra.local.postgres import PostgresServer
from infra.local.service import free_port
from infra.local.settings import StackSettings

JARS = StackSettings().state_dir / "jars"  # shared with `make up`, so that Maven fetches them once
NOT_DURABLE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}  # survives kill -9, not a power cut


def use_containers() -> bool:
    """Whether this session's servers are containers: HEADWAY_TEST_STACK says, else whether the local tools lack."""
    choice = os.environ.get("HEADWAY_TEST_STACK", "auto")
    if choice not in {"auto", "local", "containers"}:
        raise ValueError(f"HEADWAY_TEST_STACK is {choice!r}; expected auto, local or containers")
    if choice != "auto":
        return choice == "containers"
    try:
        tools.java()
        tools.postgres_bin()
    except MissingTool:
        return True
    return False


@contextmanager
def scratch_directory() -> Iterator[Path]:
    """A directory that other users can enter (PostgreSQL does not run as root), removed afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="headway-test-"))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def local_kafka(directory: Path) -> Iterator[KafkaBroker]:
    """One broker on free ports."""
    broker = KafkaBroker(
        directory / "kafka", jars=tools.kafka_jars(JARS), port=free_port(), controller_port=free_port(), tied=True
    )
    try:
        broker.start()
        broker.wait(START_TIMEOUT_S)
        yield broker
    finally:
        broker.stop()


@contextmanager
def local_cluster(directory: Path, brokers: int = 3) -> Iterator[KafkaCluster]:
    """Several brokers on free ports."""
    ports = [(free_port(), free_port()) for _ in range(brokers)]
    cluster = KafkaCluster(directory / "cluster", jars=tools.kafka_jars(JARS), ports=ports, tied=True)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@contextmanager
def local_postgres(directory: Path) -> Iterator[PostgresServer]:
    """One server on a free port."""
    server = PostgresServer(
        directory / "logs", data=directory / "postgres", port=free_port(), options=NOT_DURABLE, tied=True
    )
    try:
        server.start()
        server.wait(START_TIMEOUT_S)
        yield server
    finally:
        server.stop()


@contextmanager
def kafka_container() -> Iterator[str]:
    """The bootstrap address of Apache Kafka in a container."""
    from testcontainers.kafka import KafkaContainer  # noqa: PLC0415 - only where a Docker engine answers

    with KafkaContainer("apache/kafka:4.1.1").with_kraft() as container:
        yield container.get_bootstrap_server()


@contextmanager
def postgres_container() -> Iterator[str]:
    """The address of PostgreSQL in a container."""
    from testcontainers.postgres import PostgresContainer  # noqa: PLC0415 - only where a Docker engine answers

    with PostgresContainer("postgres:17", username="headway", dbname="headway", driver=None) as container:
        yield container.get_connection_url()
