"""The fixtures that all tests share: real servers for the session, names and a database of its own for each test."""

from __future__ import annotations

import os
import random
import signal
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import asyncpg
import hypothesis
import pytest
from headway_events import TopicNames
from playwright.async_api import Page, async_playwright

from infra.local import tools
from infra.local.kafka import KafkaBroker, KafkaCluster
from infra.local.postgres import PostgresServer
from support import servers
from support.counts import JavaScriptFold
from support.programs import Program
from support.receiver import Receiver
from support.tables import Tables
from support.topics import Topics

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as it is in a shell's background job, and in all its children
    signal.signal(signal.SIGINT, signal.default_int_handler)


hypothesis.settings.register_profile("headway", deadline=None)  # how long an example takes says how busy a machine is
hypothesis.settings.load_profile("headway")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the person who runs the tests reaches them."""
    for name in list(os.environ):
        if name.startswith("HEADWAY_") and name not in {
            "HEADWAY_TEST_STACK",
            "HEADWAY_TEST_FAULTS",
            "HEADWAY_CHROMIUM",
        }:
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """The bootstrap address of a real Kafka."""
    with ExitStack() as stack:
        if servers.use_containers():
            yield stack.enter_context(servers.kafka_container())
        else:
            directory = stack.enter_context(servers.scratch_directory())
            yield stack.enter_context(servers.local_kafka(directory)).bootstrap


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a real PostgreSQL's database, which tests leave alone: they use `database_url`."""
    with ExitStack() as stack:
        if servers.use_containers():
            yield stack.enter_context(servers.postgres_container())
        else:
            directory = stack.enter_context(servers.scratch_directory())
            yield stack.enter_context(servers.local_postgres(directory)).database_url


@pytest.fixture(scope="session")
def javascript_fold() -> Iterator[JavaScriptFold]:
    """The dashboard's fold, running under Node.js."""
    with JavaScriptFold() as fold:
        yield fold


@pytest.fixture
def own_kafka() -> Iterator[KafkaBroker]:
    """A broker for one test, which may stop it, kill it and start it again."""
    with servers.scratch_directory() as directory, servers.local_kafka(directory, servers.QUICK_RETURN) as broker:
        yield broker


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL for one test, which may stop it, kill it and start it again."""
    with servers.scratch_directory() as directory, servers.local_postgres(directory) as server:
        yield server


@pytest.fixture(scope="session")
def kafka_cluster() -> Iterator[KafkaCluster]:
    """Three brokers with replication factor 3 and two in-sync replicas needed."""
    with servers.scratch_directory() as directory, servers.local_cluster(directory) as cluster:
        yield cluster


@pytest.fixture
async def database_url(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """An empty database: that of the test's own server if it asks for one, else one made for it and dropped after."""
    if "own_postgres" in request.fixturenames:
        yield request.getfixturevalue("own_postgres").database_url
        return
    server = str(request.getfixturevalue("postgres")).rpartition("/")[0]
    name = f"test_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(f"{server}/postgres")
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    try:
        yield f"{server}/{name}"
    finally:
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await connection.close()


@pytest.fixture
async def tables(database_url: str) -> AsyncIterator[Tables]:
    """This test's tables."""
    connection = await asyncpg.connect(database_url)
    yield Tables(connection)
    await connection.close()


@pytest.fixture
def batch_id() -> int:
    """A batch that no other test knows."""
    return random.SystemRandom().getrandbits(62)


@pytest.fixture
def names() -> TopicNames:
    """Topic names of this test's own, so that tests on one broker never see one another."""
    mine = uuid.uuid4().hex[:12]
    return TopicNames(prefix=f"t{mine}-batch-", registry=f"t{mine}-batches", dead_letters=f"t{mine}-dead-letters")


@pytest.fixture
def bootstrap(request: pytest.FixtureRequest) -> str:
    """Kafka's address: that of the broker or cluster that the test itself asks for, else of the session's broker."""
    for fixture in ("own_kafka", "kafka_cluster"):
        if fixture in request.fixturenames:
            return str(request.getfixturevalue(fixture).bootstrap)
    return str(request.getfixturevalue("kafka"))


@pytest.fixture
def topics(bootstrap: str, names: TopicNames) -> Topics:
    """Reads and writes this test's topics."""
    return Topics(bootstrap, names)


@pytest.fixture
def environment(names: TopicNames, bootstrap: str, database_url: str, tmp_path: Path) -> dict[str, str]:
    """The settings that make a program work on this test's servers, topics, database and spool."""
    return {
        "HEADWAY_KAFKA_BOOTSTRAP": bootstrap,
        "HEADWAY_DATABASE_URL": database_url,
        "HEADWAY_TOPIC_PREFIX": names.prefix,
        "HEADWAY_REGISTRY_TOPIC": names.registry,
        "HEADWAY_DEAD_LETTER_TOPIC": names.dead_letters,
        "HEADWAY_SPOOL_DIR": str(tmp_path / "spool"),
        "HEADWAY_PROJECTOR_APP_ID": f"projector-{names.registry}",
    }


ProgramFactory = Callable[..., Program]


@pytest.fixture
def program(environment: dict[str, str], tmp_path: Path) -> Iterator[ProgramFactory]:
    """Makes programs that are stopped with the test: `program("headway-gateway", "run", port_setting=...)`."""
    made: list[Program] = []

    def make(name: str, *arguments: str, port_setting: str, port: int | None = None, **settings: str) -> Program:
        made.append(
            Program(
                name,
                *arguments,
                directory=tmp_path / "programs",
                environment={**environment, **settings},
                port_setting=port_setting,
                port=port,
            )
        )
        return made[-1]

    yield make
    for one in made:
        one.stop()
        print(f"----- log of {one.name}\n{one.log_text()[-20_000:]}")


@pytest.fixture
def make_projector(program: ProgramFactory) -> Callable[..., Program]:
    """Makes projectors of this test's database; each must be `run()`."""
    return lambda **settings: program(
        "headway-projector", "run", port_setting="HEADWAY_PROJECTOR_HEALTH_PORT", **settings
    )


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A running receiver of alerts."""
    async with Receiver().serve() as running:
        yield running


@pytest.fixture
def make_gateway(program: ProgramFactory) -> Callable[..., Program]:
    """Makes gateways; each must be `run()`."""
    return lambda port=None, **settings: program(
        "headway-gateway", "run", port_setting="HEADWAY_GATEWAY_PORT", port=port, **settings
    )


@pytest.fixture
def projector(make_projector: Callable[..., Program]) -> Program:
    """A running projector."""
    running = make_projector()
    running.run()
    return running


@pytest.fixture
def gateway(make_gateway: Callable[..., Program]) -> Program:
    """A running gateway."""
    running = make_gateway()
    running.run()
    return running


@pytest.fixture
async def client(gateway: Program) -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client of the running gateway."""
    timeout = aiohttp.ClientTimeout(total=None, sock_read=60)
    async with aiohttp.ClientSession(gateway.url, timeout=timeout) as session:
        yield session


@pytest.fixture
def console_errors() -> Iterator[list[str]]:
    """What the test's page threw or logged as an error. It must be empty at the end: who expects one takes it out."""
    errors: list[str] = []
    yield errors
    assert errors == []


@pytest.fixture
async def page(console_errors: list[str]) -> AsyncIterator[Page]:
    """A page of a real Chromium."""
    root = os.geteuid() == 0  # whose sandbox Chromium refuses to make
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(tools.chromium()), chromium_sandbox=not root)
        opened = await browser.new_page(viewport={"width": 1280, "height": 900}, timezone_id="UTC", locale="en-GB")
        opened.on("pageerror", lambda error: console_errors.append(str(error)))
        opened.on("console", lambda message: console_errors.extend([message.text] if message.type == "error" else []))
        yield opened
        await browser.close()
