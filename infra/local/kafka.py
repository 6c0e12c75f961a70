"""A real Apache Kafka on loopback: one broker, or several on one machine for tests of failover."""

from __future__ import annotations

import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from infra.local import tools
from infra.local.errors import StackError
from infra.local.service import Service

HEAP = ("-Xms256m", "-Xmx512m", "-XX:+UseSerialGC")  # a laptop has other things to do; one machine needs no more
METADATA_TIMEOUT_S = 2.0
START_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class BrokerAccess:
    """Who may use a broker, and how: by default everybody who reaches its port."""

    properties: Mapping[str, str] = field(default_factory=dict)
    """Listeners and the rest of `server.properties` that says so."""
    client: Mapping[str, str] = field(default_factory=dict)
    """What an administrator's client shows, as properties of librdkafka."""
    scram: Sequence[str] = ()
    """Users that are there from the beginning, as `kafka-storage format --add-scram` takes them."""
    java_options: Sequence[str] = ()
    """For the broker's JVM."""


class KafkaBroker(Service):
    """One KRaft node that is broker and controller."""

    def __init__(
        self,
        directory: Path,
        *,
        jars: Path,
        port: int,
        controller_port: int,
        node_id: int = 1,
        voters: Mapping[int, int] | None = None,
        cluster_id: str | None = None,
        settings: Mapping[str, str] | None = None,
        access: BrokerAccess | None = None,
        port_settings: tuple[str, str] = ("HEADWAY_KAFKA_PORT", "HEADWAY_KAFKA_CONTROLLER_PORT"),
        tied: bool = False,
    ) -> None:
        """Describe the broker; `start` formats its storage the first time.

        Args:
            directory: for its data, configuration and log.
            jars: the directory that `tools.kafka_jars` fills.
            port: for clients.
            controller_port: for the quorum.
            node_id: unique in the cluster.
            voters: node id to controller port of the whole cluster; by default this node alone.
            cluster_id: the same for every node of a cluster; made up for a node alone.
            settings: `server.properties` to add or change.
            access: see there.
            port_settings: the settings that move the two ports.
            tied: see Service.
        """
        self.port = port
        self.bootstrap = f"127.0.0.1:{port}"
        self._voters = voters or {node_id: controller_port}
        self._cluster_id = cluster_id or _new_cluster_id()
        self._access = access or BrokerAccess()
        changed = {**self._access.properties, **(settings or {})}
        self._properties = _properties(directory, node_id, port, controller_port, self._voters, changed)
        self._jars = jars
        super().__init__(
            name=f"kafka-{node_id}" if len(self._voters) > 1 else "kafka",
            command=self._broker_command,
            directory=directory,
            healthy=self._answers,
            ports=dict(zip(port_settings, (port, controller_port), strict=True)),
            tied=tied,
        )

    def start(self) -> None:
        """Format the storage if it is new, and start."""
        self.directory.mkdir(parents=True, exist_ok=True)
        configuration = self.directory / "server.properties"
        configuration.write_text("".join(f"{name}={value}\n" for name, value in self._properties.items()))
        if not (self.directory / "data" / "meta.properties").exists():
            format_storage = [
                "kafka.tools.StorageTool",
                "format",
                f"--cluster-id={self._cluster_id}",
                "-c",
                str(configuration),
                *(part for user in self._access.scram for part in ("--add-scram", user)),
            ]
            done = subprocess.run([*self._java(), *format_storage], capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise StackError(f"Kafka's storage in {self.directory} could not be formatted:\n{done.stderr[-2000:]}")
        super().start()

    def _broker_command(self) -> list[str]:
        options = [*HEAP, *self._access.java_options]
        return [*self._java(), *options, "kafka.Kafka", str(self.directory / "server.properties")]

    def _java(self) -> list[str]:
        return [str(tools.java()), "-cp", f"{self._jars}/*", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]

    def _answers(self) -> str | None:
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0, **self._access.client})
        try:
            brokers = admin.list_topics(timeout=METADATA_TIMEOUT_S).brokers
        except KafkaException as error:
            return str(error.args[0])
        return None if brokers else "no broker in the metadata yet"


class KafkaCluster:
    """Several brokers on one machine: what is lost when one of them is killed?"""

    def __init__(
        self,
        directory: Path,
        *,
        jars: Path,
        ports: Sequence[tuple[int, int]],
        settings: Mapping[str, str] | None = None,
        tied: bool = False,
    ) -> None:
        """Describe a cluster with a (client, controller) pair of ports for each broker."""
        voters = {node: controller_port for node, (_, controller_port) in enumerate(ports, start=1)}
        cluster_id = _new_cluster_id()
        replicas = str(min(3, len(ports)))
        replicated = {
            "default.replication.factor": replicas,
            "min.insync.replicas": str(max(1, int(replicas) - 1)),
            "offsets.topic.replication.factor": replicas,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": str(max(1, int(replicas) - 1)),
        }
        self.brokers = [
            KafkaBroker(
                directory / f"broker-{node}", jars=jars, port=port, controller_port=controller_port, node_id=node,
                voters=voters, cluster_id=cluster_id, settings={**replicated, **(settings or {})}, tied=tied,
            )
            for node, (port, controller_port) in enumerate(ports, start=1)
        ]  # fmt: skip
        self.bootstrap = ",".join(broker.bootstrap for broker in self.brokers)

    def start(self) -> None:
        """Start every broker and wait until all answer."""
        for broker in self.brokers:
            broker.start()
        for broker in self.brokers:
            broker.wait(START_TIMEOUT_S)

    def stop(self) -> None:
        """Kill every broker: the last ones could not leave in order, without a majority of controllers to tell."""
        for broker in self.brokers:
            broker.kill()


def _new_cluster_id() -> str:
    return urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def _properties(
    directory: Path,
    node_id: int,
    port: int,
    controller_port: int,
    voters: Mapping[int, int],
    settings: Mapping[str, str],
) -> dict[str, str]:
    return {
        "process.roles": "broker,controller",
        "node.id": str(node_id),
        "controller.quorum.voters": ",".join(f"{node}@127.0.0.1:{voter}" for node, voter in voters.items()),
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": str(directory / "data"),
        "auto.create.topics.enable": "false",  # a topic with the broker's defaults would not be a batch's topic
        "group.initial.rebalance.delay.ms": "0",  # one machine: there is no fleet of workers to wait for
        "offsets.topic.num.partitions": "4",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        **settings,
    }
