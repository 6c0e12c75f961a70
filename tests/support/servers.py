"""Kafka and PostgreSQL for a test session: the local stack's, or containers where asked for or where its tools lack."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import docker
from testcontainers.community.postgres import PostgresContainer
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from infra.local import tools
from infra.local.errors import MissingTool
from infra.local.kafka import START_TIMEOUT_S, BrokerAccess, KafkaBroker, KafkaCluster
from infra.local.postgres import PostgresServer
from infra.local.service import Service, free_port
from infra.local.settings import StackSettings

JARS = StackSettings.from_environment().jars  # shared with `make up`, so that Maven fetches them once
KAFKA_IMAGE = "apache/kafka:4.1.1"
POSTGRES_IMAGE = "postgres:17.6"
NO_POWER_CUTS = {"fsync": "off", "full_page_writes": "off"}  # what is committed still survives kill -9
QUICK_RETURN = {"broker.session.timeout.ms": "3000"}  # a killed broker may register again only after this; 9 s if unset


def use_containers() -> bool:
    """Whether this session's servers are containers: asked for, or the only way on this machine.

    HEADWAY_TEST_STACK is `local`, `containers`, or `auto` (the default): local if its tools are there.

    Raises:
        MissingTool: a tool of the local stack is missing, and no Docker engine answers either.
    """
    choice = os.environ.get("HEADWAY_TEST_STACK", "auto")
    if choice not in {"auto", "local", "containers"}:
        raise ValueError(f"HEADWAY_TEST_STACK is {choice!r}; expected auto, local or containers")
    if choice != "auto":
        return choice == "containers"
    try:
        tools.java()
        tools.postgres_bin()
    except MissingTool:
        if not _docker_answers():
            raise
        return True
    return False


def _docker_answers() -> bool:
    try:
        return bool(docker.from_env(timeout=5).ping())
    except docker.errors.DockerException:
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
def running(server: Service) -> Iterator[None]:
    """A server that is started, healthy, and stopped afterwards."""
    try:
        server.start()
        server.wait(START_TIMEOUT_S)
        yield
    finally:
        server.stop()


@contextmanager
def local_kafka(
    directory: Path,
    settings: Mapping[str, str] | None = None,
    access: Callable[[int, int], BrokerAccess] = lambda *_: BrokerAccess(),
) -> Iterator[KafkaBroker]:
    """One broker on free ports; `access` is told those of clients and controllers."""
    port, controller_port = free_port(), free_port()
    broker = KafkaBroker(
        directory / "kafka",
        jars=tools.kafka_jars(JARS),
        port=port,
        controller_port=controller_port,
        settings=settings,
        access=access(port, controller_port),
        tied=True,
    )
    with running(broker):
        yield broker


@contextmanager
def local_cluster(directory: Path, brokers: int = 3) -> Iterator[KafkaCluster]:
    """Several brokers on free ports."""
    ports = [(free_port(), free_port()) for _ in range(brokers)]
    cluster = KafkaCluster(
        directory / "cluster", jars=tools.kafka_jars(JARS), ports=ports, settings=QUICK_RETURN, tied=True
    )
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@contextmanager
def local_postgres(directory: Path, options: Mapping[str, str] | None = None) -> Iterator[PostgresServer]:
    """One server on a free port."""
    server = PostgresServer(
        directory / "logs",
        data=directory / "postgres",
        port=free_port(),
        options={**NO_POWER_CUTS, **(options or {})},
        tied=True,
    )
    with running(server):
        yield server


@contextmanager
def kafka_container() -> Iterator[str]:
    """The bootstrap address of Apache Kafka in a container.

    testcontainers' own KafkaContainer knows only Confluent's image; and a broker must advertise the port that clients
    see, so that port is chosen before it starts.
    """
    port = free_port()
    container = DockerContainer(KAFKA_IMAGE).with_bind_ports(port, port)
    container.with_envs(
        KAFKA_NODE_ID="1",
        KAFKA_PROCESS_ROLES="broker,controller",
        KAFKA_CONTROLLER_QUORUM_VOTERS="1@localhost:9093",
        KAFKA_CONTROLLER_LISTENER_NAMES="CONTROLLER",
        KAFKA_LISTENERS=f"PLAINTEXT://:{port},CONTROLLER://:9093",
        KAFKA_ADVERTISED_LISTENERS=f"PLAINTEXT://localhost:{port}",
        KAFKA_LISTENER_SECURITY_PROTOCOL_MAP="PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        KAFKA_AUTO_CREATE_TOPICS_ENABLE="false",
        KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS="0",
        KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR="1",
        KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR="1",
        KAFKA_TRANSACTION_STATE_LOG_MIN_ISR="1",
    )
    container.waiting_for(LogMessageWaitStrategy("Kafka Server started").with_startup_timeout(int(START_TIMEOUT_S)))
    with container:
        yield f"localhost:{port}"


@contextmanager
def postgres_container() -> Iterator[str]:
    """The address of PostgreSQL in a container."""
    with PostgresContainer(POSTGRES_IMAGE, username="headway", dbname="headway", driver=None) as container:
        yield container.get_connection_url()
