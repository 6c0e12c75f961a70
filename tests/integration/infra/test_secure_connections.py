"""The whole path over connections that are encrypted and proven, and what each program and role is refused."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import asyncpg
import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from headway_events import KafkaSecurity, TopicNames

from infra.local import tools
from infra.local.postgres import PostgresServer
from support import servers
from support.api import get
from support.certificates import Authority
from support.eventually import eventually
from support.programs import Program
from support.secure_kafka import ADMINISTRATOR, AUDIENCE, PASSWORD, SecureKafka, secure_kafka
from support.token_endpoint import TokenEndpoint

REPOSITORY = Path(__file__).parents[3]
ROLES = REPOSITORY / "infra/postgres/roles.sql"
TIMEOUT_S = 30.0
PIPELINE = """
from headway import EventLogger
with EventLogger.stage({batch_id}, "denoise", total_files=3) as stage:
    for name in "abc":
        with stage.file(name) as file:
            file.response = {{"status": "success"}}
EventLogger.batch_complete({batch_id})
print("left", EventLogger.flush({flush_s}))
"""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with servers.scratch_directory() as directory:
        yield Authority(directory / "certificates")


@pytest.fixture(scope="module")
def issuer() -> TokenEndpoint:
    """Who gives tokens that the broker takes."""
    return TokenEndpoint(secret=PASSWORD, audience=AUDIENCE)


@pytest.fixture(scope="module")
def secure(
    authority: Authority, issuer: TokenEndpoint, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SecureKafka]:
    """A broker that wants to know who asks."""
    directory = tmp_path_factory.mktemp("secure")
    key_set = directory / "keys.json"
    issuer.write_key_set(key_set)
    with secure_kafka(directory, authority, key_set) as broker:
        yield broker


@pytest.fixture
def bootstrap(secure: SecureKafka) -> str:
    """Nothing here is for the session's open broker."""
    return secure.bootstrap


@pytest.fixture
def allowed(secure: SecureKafka, environment: dict[str, str]) -> None:
    """The rules of this test's topics, as an administrator makes them."""
    kinds = ("--producer", "User:pipeline", "--projector", "User:projector", "--gateway", "User:gateway")
    command = [sys.executable, "-m", "infra.kafka.acls", *kinds, "--apply"]
    settings = {**os.environ, **environment, **secure.scram(ADMINISTRATOR)}
    done = subprocess.run(command, env=settings, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"allow User:gateway: DESCRIBE, READ on TOPIC {environment['HEADWAY_TOPIC_PREFIX']}*" in done.stdout


class Ran(NamedTuple):
    """What a pipeline said."""

    left: int  # events not sent
    log: str


async def pipeline(settings: dict[str, str], batch_id: int, *, flush_s: float = TIMEOUT_S) -> Ran:
    """A pipeline of three files in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PIPELINE.format(batch_id=batch_id, flush_s=flush_s),
        env={**os.environ, **settings}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(2 * TIMEOUT_S):
        out, log = await process.communicate()
    assert process.returncode == 0, log.decode()
    return Ran(int(out.split()[-1]), log.decode())


async def closed(gateway: Program, batch_id: int) -> dict[str, Any]:
    """The batch as the API has it, once it is closed."""
    async with aiohttp.ClientSession(gateway.url) as client:

        async def ask() -> dict[str, Any]:
            async with client.get(f"/api/batches/{batch_id}") as answer:
                return dict(await answer.json()) if answer.status == 200 else {}

        return await eventually(ask, lambda found: found.get("closed") is True, within_s=60)


async def streamed(gateway: Program, batch_id: int) -> list[str]:
    """The types of a finished batch's events, as the stream has them."""
    async with (
        aiohttp.ClientSession(gateway.url) as client,
        client.get(f"/api/stream?batchId={batch_id}&from=earliest") as stream,
    ):
        lines = [line.decode().strip() async for line in stream.content]
    return [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]


async def test_a_batch_goes_all_the_way_by_passwords_over_tls_with_each_program_its_own_rights(
    secure: SecureKafka, allowed: None, environment: dict[str, str], make_projector: Callable[..., Program],
    make_gateway: Callable[..., Program], batch_id: int,
) -> None:  # fmt: skip
    projector, gateway = make_projector(**secure.scram("projector")), make_gateway(**secure.scram("gateway"))
    projector.run()
    gateway.run()
    assert (await pipeline({**environment, **secure.scram("pipeline")}, batch_id)).left == 0
    (stage,) = (await closed(gateway, batch_id))["stages"]
    assert (stage["processed"], stage["errors"], stage["status"]) == (3, 0, "complete")
    events = await streamed(gateway, batch_id)
    assert [events.count(kind) for kind in ("stage_start", "file_complete", "batch_complete")] == [1, 3, 1]
    for program in (projector, gateway):
        assert PASSWORD not in program.log_text()


async def test_a_batch_goes_all_the_way_by_certificates(
    secure: SecureKafka, allowed: None, environment: dict[str, str], make_projector: Callable[..., Program],
    make_gateway: Callable[..., Program], batch_id: int,
) -> None:  # fmt: skip
    make_projector(**secure.certificate("projector")).run()
    gateway = make_gateway(**secure.certificate("gateway"))
    gateway.run()
    assert (await pipeline({**environment, **secure.certificate("pipeline")}, batch_id)).left == 0
    (stage,) = (await closed(gateway, batch_id))["stages"]
    assert (stage["processed"], stage["status"]) == (3, "complete")


async def test_a_batch_goes_all_the_way_by_tokens(
    secure: SecureKafka, issuer: TokenEndpoint, allowed: None, environment: dict[str, str],
    make_projector: Callable[..., Program], make_gateway: Callable[..., Program], batch_id: int,
) -> None:  # fmt: skip
    async with issuer.serve() as url:
        projector = make_projector(**secure.oauth("projector", url))
        gateway = make_gateway(**secure.oauth("gateway", url))
        await asyncio.gather(asyncio.to_thread(projector.run), asyncio.to_thread(gateway.run))
        assert (await pipeline({**environment, **secure.oauth("pipeline", url)}, batch_id)).left == 0
        (stage,) = (await closed(gateway, batch_id))["stages"]
    assert (stage["processed"], stage["status"]) == (3, "complete")
    assert issuer.given >= 3
    assert issuer.refused == 0


def client_of(secure: SecureKafka, user: str) -> dict[str, str]:
    """A bare client that is this user."""
    return KafkaSecurity.from_environment(secure.scram(user)).connection(secure.bootstrap)


async def test_a_pipeline_may_not_read_and_a_gateway_may_not_write(
    secure: SecureKafka, allowed: None, environment: dict[str, str], names: TopicNames, batch_id: int
) -> None:
    assert (await pipeline({**environment, **secure.scram("pipeline")}, batch_id)).left == 0
    topic = names.of_batch(batch_id)
    reader = Consumer({**client_of(secure, "pipeline"), "group.id": "any", "log_level": 0})
    reader.assign([TopicPartition(topic, 0, 0)])
    message = await asyncio.to_thread(reader.poll, TIMEOUT_S)
    reader.close()
    assert message is not None
    assert (error := message.error()) is not None
    assert error.code() in {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED}
    for user in ("gateway", "projector"):
        refused: list[KafkaError | None] = []
        writer = Producer({**client_of(secure, user), "log_level": 0})
        writer.produce(topic, b"{}", on_delivery=lambda error, _, refused=refused: refused.append(error))  # type: ignore[misc]
        await asyncio.to_thread(writer.flush, TIMEOUT_S)
        assert [error.code() for error in refused if error] == [KafkaError.TOPIC_AUTHORIZATION_FAILED]


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"HEADWAY_KAFKA_SASL_PASSWORD": "wrong"}, "HEADWAY_KAFKA_SASL_PASSWORD"),
        ({"HEADWAY_KAFKA_CA_FILE": ""}, "HEADWAY_KAFKA_CA_FILE"),
    ],
    ids=["wrong password", "unknown authority"],
)
async def test_programs_that_are_refused_say_which_setting_is_to_blame(
    secure: SecureKafka, environment: dict[str, str], make_projector: Callable[..., Program],
    make_gateway: Callable[..., Program], batch_id: int, changed: dict[str, str], named: str,
) -> None:  # fmt: skip
    started = [
        make_projector(**{**secure.scram("projector"), **changed}),
        make_gateway(**{**secure.scram("gateway"), **changed}),
    ]
    for program in started:
        program.start()
    ran = await pipeline({**environment, **secure.scram("pipeline"), **changed}, batch_id, flush_s=8)
    assert ran.left > 0
    assert named in ran.log
    async with aiohttp.ClientSession() as client:
        for program in started:

            async def health(url: str = program.url) -> str:
                try:
                    async with client.get(f"{url}/healthz") as answer:
                        return await answer.text() if answer.status == 503 else ""
                except aiohttp.ClientError:
                    return ""

            await eventually(health, lambda text: named in text, within_s=60)


@pytest.fixture(scope="module")
def tls_postgres(authority: Authority) -> Iterator[PostgresServer]:
    """A PostgreSQL that speaks TLS, with the roles."""
    own = authority.sign("postgres")
    with servers.scratch_directory() as directory:
        key, certificate = directory / "server.key", directory / "server.crt"
        shutil.copy(own.key, key)
        shutil.copy(own.certificate, certificate)
        server = PostgresServer(directory / "unused", data=directory / "unused-data", port=1)
        for path in (key, certificate):
            path.chmod(0o600)
            if server.user is not None:
                shutil.chown(path, server.user)
        options = {"ssl": "on", "ssl_cert_file": str(certificate), "ssl_key_file": str(key)}
        with servers.local_postgres(directory, options) as running:
            psql = str(tools.postgres_bin() / "psql")
            command = [psql, "-v", "ON_ERROR_STOP=1", "-q", "-f", str(ROLES), running.database_url]
            subprocess.run(command, check=True, capture_output=True)
            yield running


def as_role(postgres: PostgresServer, authority: Authority, role: str) -> str:
    """The address of the database for a role that verifies the server."""
    address = postgres.database_url.replace("headway@", f"{role}@", 1)
    return f"{address}?sslmode=verify-full&sslrootcert={authority.file}"


async def test_the_programs_work_as_the_roles_of_the_least_rights_and_each_is_refused_the_rest(
    secure: SecureKafka, allowed: None, environment: dict[str, str], tls_postgres: PostgresServer, authority: Authority,
    make_projector: Callable[..., Program], make_gateway: Callable[..., Program], batch_id: int,
) -> None:  # fmt: skip
    addresses = {
        role: as_role(tls_postgres, authority, f"headway_{role}") for role in ("projector", "gateway", "analyst")
    }
    make_projector(**secure.scram("projector"), HEADWAY_DATABASE_URL=addresses["projector"]).run()
    gateway = make_gateway(**secure.scram("gateway"), HEADWAY_DATABASE_URL=addresses["gateway"])
    gateway.run()
    assert (await pipeline({**environment, **secure.scram("pipeline")}, batch_id)).left == 0
    assert (await closed(gateway, batch_id))["stages"][0]["processed"] == 3
    async with aiohttp.ClientSession(gateway.url) as client:
        for path in (
            "",
            "/files",
            "/errors",
            "/workers",
            "/durations",
            "/outcomes",
            "/timeline",
            "/history",
            "/events",
        ):
            await get(client, f"/api/batches/{batch_id}{path}")
        assert len((await get(client, "/api/batches?sort=errors"))["batches"]) == 1
    refused = {
        "projector": ["CREATE ROLE other", "CREATE DATABASE other", "CREATE SCHEMA other"],
        "gateway": ["SELECT * FROM batch", "DELETE FROM batchOverview", "CREATE TABLE other (a int)"],
        "analyst": [
            "SELECT * FROM fileOutcome",
            "DELETE FROM stageProgress",
            "CREATE TEMPORARY TABLE other (a int)",
        ],
    }
    for role, statements in refused.items():
        connection = await asyncpg.connect(addresses[role])
        assert await connection.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        assert await connection.fetchval("SELECT count(*) FROM batchOverview") == 1
        await connection.execute("SET default_transaction_read_only = off")  # which keeps from slips, not from intent
        for statement in statements:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
        await connection.close()


async def test_a_database_whose_certificate_is_not_trusted_is_not_talked_to(
    tls_postgres: PostgresServer, secure: SecureKafka, make_gateway: Callable[..., Program], tmp_path: Path
) -> None:
    stranger = Authority(tmp_path / "stranger")
    gateway = make_gateway(
        **secure.scram("gateway"), HEADWAY_DATABASE_URL=as_role(tls_postgres, stranger, "headway_gateway")
    )
    gateway.start()

    async def health() -> str:
        try:
            async with aiohttp.ClientSession(gateway.url) as client, client.get("/healthz") as answer:
                return await answer.text()
        except aiohttp.ClientError:
            return ""

    text = await eventually(health, lambda found: "postgresql" in found, within_s=60)
    assert "HEADWAY_DATABASE_URL" in text
