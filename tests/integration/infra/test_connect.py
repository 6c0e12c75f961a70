"""A real Kafka Connect with the sink of infra/connect brings every record of every batch topic to a table, once."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from headway_events import TopicNames

from infra.local import tools
from infra.local.service import Service, free_port
from infra.local.settings import CHECKOUT
from support import servers
from support.batches import batch_events
from support.eventually import eventually
from support.topics import Topics

CONNECT = CHECKOUT / "infra" / "connect"
NAME = "headway-records"
START_TIMEOUT_S = 90.0


class Connect(Service):
    """A standalone worker with the sink, on this test's topics and database."""

    def __init__(self, directory: Path, names: TopicNames, bootstrap: str, database_url: str) -> None:
        self._url = f"http://127.0.0.1:{(port := free_port())}/connectors/{NAME}"
        directory.mkdir()
        sink = (CONNECT / "sink.properties").read_text()
        assert sink.count("=headway-batch-.*\n") == 1
        (directory / "sink.properties").write_text(sink.replace("=headway-batch-.*", f"={names.prefix}.*"))
        database = urlsplit(database_url)
        files = (CONNECT / "worker.properties", directory / "sink.properties")
        jars = tools.maven_jars(CONNECT / "connect.pom", servers.JARS / "connect")
        super().__init__(
            name="connect",
            command=lambda: [
                str(tools.java()), "-cp", f"{jars}/*", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Xmx512m",
                "-XX:TieredStopAtLevel=1", "org.apache.kafka.connect.cli.ConnectStandalone", *map(str, files),
            ],
            directory=directory,
            healthy=self._state,
            environment={
                "HEADWAY_KAFKA_BOOTSTRAP": bootstrap,
                "CONNECT_PORT": str(port),
                "CONNECT_OFFSETS_FILE": str(directory / "offsets"),
                "CONNECT_JDBC_URL": f"jdbc:postgresql://{database.hostname}:{database.port}{database.path}",
                "CONNECT_DATABASE_USER": str(database.username),
                "CONNECT_DATABASE_PASSWORD": "unused",
            },
            tied=True,
        )  # fmt: skip

    async def ask(self, method: str, path: str) -> Any:
        """Ask for something by its REST API."""
        request = urllib.request.Request(f"{self._url}/{path}", method=method)
        with await asyncio.to_thread(urllib.request.urlopen, request, timeout=30) as answer:
            return json.load(answer) if answer.status == 200 else None

    def _state(self) -> str | None:
        try:
            with urllib.request.urlopen(f"{self._url}/status", timeout=5) as answer:
                tasks = json.load(answer)["tasks"]
        except OSError as error:
            return str(error)
        wrong = [task for task in tasks if task["state"] != "RUNNING"]
        return None if tasks and not wrong else f"tasks: {wrong}"


@pytest.fixture
async def database(database_url: str) -> asyncpg.Connection:
    """The other database, with the table."""
    connection = await asyncpg.connect(database_url)
    await connection.execute((CONNECT / "table.sql").read_text())
    return connection


@pytest.fixture
def connect(
    names: TopicNames, bootstrap: str, database_url: str, database: asyncpg.Connection, tmp_path: Path
) -> Iterator[Connect]:
    """A running worker."""
    worker = Connect(tmp_path / "connect", names, bootstrap, database_url)
    worker.start()
    try:
        worker.wait(START_TIMEOUT_S)
        yield worker
    finally:
        worker.stop()
        print(worker.log.read_text()[-5000:])


async def test_each_record_of_batches_that_begin_later_is_a_row_also_when_all_are_read_again(
    connect: Connect, topics: Topics, database: asyncpg.Connection, batch_id: int
) -> None:
    batches = (batch_id, batch_id + 1)
    topics.create_all(batches)
    for one in batches:
        topics.write_events(batch_events(one, 50, failed=5))
    odd = [b"no event", b"\xff\0", b"", None, '{"eventType":"later","ü":"\\u0000"}'.encode()]
    odd.append(b'{"eventType":"odd","batchId":99999999999999999999,"durationMs":"long"}')
    topics.write(topics.names.of_batch(batch_id), odd)
    wanted = {
        (topics.names.of_batch(one), record.offset): (
            datetime.fromtimestamp(record.timestamp_ms / 1000, UTC),
            record.value,
        )
        for one, records in topics.read_batches(batches).items()
        for record in records
    }

    async def rows() -> dict[tuple[str, int], tuple[datetime, bytes | None]]:
        found = await database.fetch("SELECT topic, topicOffset, recordedAt, value FROM topicRecord")
        return {(row["topic"], row["topicoffset"]): (row["recordedat"], row["value"]) for row in found}

    await eventually(rows, lambda found: len(found) >= len(wanted))
    assert await rows() == wanted

    await connect.ask("PUT", "stop")
    await database.execute("DELETE FROM topicRecord WHERE topicOffset % 2 = 0")
    await eventually(lambda: connect.ask("GET", "status"), lambda status: status["tasks"] == [])
    await connect.ask("DELETE", "offsets")
    await connect.ask("PUT", "resume")
    await eventually(rows, lambda found: found == wanted)
    counts = await database.fetch("SELECT eventType, count(*) FROM topicEvent GROUP BY eventType")
    assert {row["eventtype"]: row["count"] for row in counts} == {
        "stage_start": 2, "file_complete": 90, "file_error": 10, "stage_complete": 2, "batch_complete": 2, "odd": 1,
    }  # fmt: skip
