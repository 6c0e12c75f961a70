"""Everything that takes part in a run: servers, Headway's programs, workers and clients, and what faults do to them."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import psutil
from headway_events import TopicNames

from infra.local.kafka import KafkaCluster
from infra.local.postgres import PostgresServer
from infra.local.service import Service
from soak.schedule import TARGETS, Action, Fault, Part
from soak.worker import Journal
from support import servers
from support.eventually import eventually
from support.programs import Program

TESTS: Final = Path(__file__).parents[1]
SERVERS: Final = {Part.BROKER, Part.KAFKA, Part.POSTGRESQL}
START_TIMEOUT_S: Final = 90.0  # on a machine that has much to do
WORKER_ENDS_WITHIN_S: Final = 60.0
READ_WITHIN_S: Final = 120.0
BATCHES_OF_WORKER: Final = 100_000  # numbers of batches that are a worker's own
MARK: Final = "HEADWAY_SOAK"  # in the environment of every program of a run, and of what they start
SMALL_CACHE: Final = str(16 << 20)  # bytes: so that a run of some minutes fills it


class World:
    """The parts of one run, in a directory of their own."""

    def __init__(self, directory: Path, cluster: KafkaCluster, postgres: PostgresServer) -> None:
        mark = uuid.uuid4().hex
        self.directory = directory
        self.cluster, self.postgres = cluster, postgres
        self.names = TopicNames(prefix="soak-batch-", registry="soak-batches", dead_letters="soak-dead-letters")
        self.spools = directory / "spool"
        self._environment = {
            MARK: mark,
            "HEADWAY_KAFKA_BOOTSTRAP": cluster.bootstrap,
            "HEADWAY_DATABASE_URL": postgres.database_url,
            "HEADWAY_TOPIC_PREFIX": self.names.prefix,
            "HEADWAY_REGISTRY_TOPIC": self.names.registry,
            "HEADWAY_DEAD_LETTER_TOPIC": self.names.dead_letters,
            "HEADWAY_SPOOL_DIR": str(self.spools),
            "HEADWAY_GATEWAY_CACHE_BYTES": SMALL_CACHE,
            "PYTHONPATH": f"{TESTS}:{TESTS.parent}",
        }
        self.projectors = [
            self._program("headway-projector", "HEADWAY_PROJECTOR_HEALTH_PORT")
            for _ in range(TARGETS[Part.PROJECTOR] + 1)
        ]
        self.gateways = [
            self._program("headway-gateway", "HEADWAY_GATEWAY_PORT") for _ in range(TARGETS[Part.GATEWAY] + 1)
        ]
        self.journals = [Journal(directory / f"worker-{number}.journal") for number in range(TARGETS[Part.WORKER])]
        self.workers = [self._worker(number) for number in range(TARGETS[Part.WORKER])]
        self.clients = [self._client(number, batches=-1) for number in range(TARGETS[Part.CLIENT])]
        self.suffering: list[Service] = []
        self._by_part: dict[Part, Sequence[Service]] = {
            Part.BROKER: cluster.brokers,
            Part.KAFKA: cluster.brokers,
            Part.POSTGRESQL: [postgres],
            Part.PROJECTOR: self.projectors,
            Part.GATEWAY: self.gateways,
            Part.WORKER: self.workers,
            Part.CLIENT: self.clients,
        }

    async def start(self) -> None:
        """Start Headway's programs, then workers and clients."""
        programs = [*self.projectors, *self.gateways]
        for program in programs:
            program.start()
        for program in programs:
            await asyncio.to_thread(program.wait, START_TIMEOUT_S)
        for actor in (*self.workers, *self.clients):
            actor.start()

    async def suffer(self, fault: Fault) -> None:
        """Let a fault befall its target, and end."""
        targets = self._by_part[fault.part] if fault.part is Part.KAFKA else [self._by_part[fault.part][fault.target]]
        befalls: dict[Action, Callable[[Service], Awaitable[None]]] = {
            Action.KILL: lambda target: asyncio.to_thread(target.kill),
            Action.STOP: lambda target: asyncio.to_thread(target.stop),
            Action.FREEZE: lambda target: asyncio.to_thread(_freeze, target),
        }
        self.suffering.extend(targets)
        await asyncio.gather(*map(befalls[fault.action], targets))
        await asyncio.sleep(fault.lasts_s)
        for target in targets:
            _wake(target)
            target.start()  # does nothing while it runs
            self.suffering.remove(target)
        if fault.part in SERVERS:  # the others may not be well before other faults are over
            for target in targets:
                await asyncio.to_thread(target.wait, START_TIMEOUT_S)

    async def end_work(self) -> None:
        """Let the workers finish their batches and end."""
        for worker in self.workers:
            if (process := worker.process()) is not None:
                process.terminate()
        for worker in self.workers:
            if (process := worker.process()) is not None:
                await asyncio.to_thread(process.wait, WORKER_ENDS_WITHIN_S)

    async def read_to_the_end(self) -> None:
        """Let the clients, started once more, read all batches to their ends; who cannot in time is killed."""
        for number, client in enumerate(self.clients):
            await asyncio.to_thread(client.kill)
            last = self._client(number, batches=len(self.batches_of(number)))
            last.start()
            self.clients[number] = last
        for client in self.clients:
            with contextlib.suppress(AssertionError):
                await eventually(client.process, lambda process: process is None, within_s=READ_WITHIN_S)
            await asyncio.to_thread(client.kill)

    def stop(self) -> None:
        """Stop all but the servers."""
        for program in (*self.clients, *self.workers, *self.gateways, *self.projectors):
            program.stop()

    def batches_of(self, worker: int) -> list[int]:
        """The batches that a worker has begun."""
        return sorted({batch_id for (batch_id,) in self.journals[worker].entries("batch")})

    @property
    def batch_ids(self) -> list[int]:
        """All batches."""
        return [batch_id for number in range(len(self.workers)) for batch_id in self.batches_of(number)]

    def received(self, client: int) -> Path:
        """The directory of what a client has received."""
        return self.directory / f"client-{client}"

    @property
    def programs(self) -> list[Service]:
        """What runs for the whole of a run, all but the servers."""
        return [*self.projectors, *self.gateways, *self.workers, *self.clients]

    def processes(self) -> Iterator[psutil.Process]:
        """The processes that belong to this run, wherever they hang in the system's tree."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get(MARK) == self._environment[MARK]:
                    yield process

    def logs(self) -> Iterable[Path]:
        """The logs of Headway's programs, workers and clients."""
        return sorted((self.directory / "programs").glob("*.log"))

    def _program(self, name: str, port_setting: str) -> Program:
        directory = self.directory / "programs"
        return Program(name, "run", directory=directory, environment=self._environment, port_setting=port_setting)

    def _worker(self, number: int) -> Service:
        arguments = ["soak.worker", str(_first_batch(number)), str(self.directory / f"worker-{number}.journal")]
        return self._actor(f"worker-{number}", arguments)

    def _client(self, number: int, *, batches: int) -> Service:
        received = self.received(number)
        received.mkdir(parents=True, exist_ok=True)
        addresses = [gateway.url for gateway in self.gateways]
        arguments = ["soak.client", str(received), str(_first_batch(number)), str(batches), *addresses]
        return self._actor(f"client-{number}", arguments)

    def _actor(self, name: str, arguments: list[str]) -> Service:
        return Service(
            name=name,
            command=lambda: [sys.executable, "-m", *arguments],
            directory=self.directory / "programs",
            healthy=lambda: None,
            environment=self._environment,
            tied=True,
        )


@contextlib.contextmanager
def world(directory: Path) -> Iterator[World]:
    """Three brokers, PostgreSQL and the rest, not started; all is stopped at the end."""
    with servers.local_cluster(directory) as cluster, servers.local_postgres(directory) as postgres:
        made = World(directory, cluster, postgres)
        try:
            yield made
        finally:
            made.stop()


def _first_batch(worker: int) -> int:
    return 1 + worker * BATCHES_OF_WORKER


def _family(target: Service) -> list[psutil.Process]:
    process = target.process()
    return [] if process is None else [process, *process.children(recursive=True)]


def _freeze(target: Service) -> None:
    for process in _family(target):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.suspend()


def _wake(target: Service) -> None:
    for process in _family(target):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.resume()
