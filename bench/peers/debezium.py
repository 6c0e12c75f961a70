"""Kafka Connect with Debezium's JDBC sink: it appends a row for each event to a table, and does nothing else.

That is less than the projector does. It reads the same records and fills the columns of the raw log, but for those that
take a fold (`run`, `late`), `value`, and `response`, which can be any JSON where the sink wants a schema. There are no
outcomes and no counts, and a restart can write events twice. The table has the same index as the raw log.
"""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlencode, urlsplit

from bench.backlog import Commit, commits, new_batches, until
from bench.events import create_topics, write
from bench.stack import JARS, BenchStack
from infra.local import tools
from infra.local.service import Service, free_port
from infra.local.settings import CHECKOUT

POM: Final = CHECKOUT / "infra" / "connect" / "connect.pom"
HEAP: Final = ("-Xms512m", "-Xmx1g")
START_TIMEOUT_S: Final = 120.0
ASK_EVERY_S: Final = 1.0  # counting a table is work for the machine that is measured
NAME: Final = "appending"
TABLE: Final = "connectLog"
TABLE_SQL: Final = f"""
    CREATE TABLE {TABLE} (
        batchId bigint NOT NULL, stage text, eventType text NOT NULL, fileName text, totalFiles integer,
        processedFiles integer, failedFiles integer, gpuIp text, durationMs double precision, timestamp timestamptz,
        topicOffset bigint NOT NULL, PRIMARY KEY (batchId, topicOffset)
    )"""
FIELDS: Final = {
    "batchId": "int64", "stage": "string", "eventType": "string", "fileName": "string", "totalFiles": "int32",
    "processedFiles": "int32", "failedFiles": "int32", "gpuIp": "string", "durationMs": "double", "timestamp": "string",
}  # fmt: skip


def appended(stack: BenchStack, files: int, *, tuned: bool) -> list[Commit]:
    """The sink's transactions over a batch of so many files, written before it starts.

    Args:
        stack: an installation without other batches.
        files: in the batch.
        tuned: with batches as large as a poll of the projector, and with the JDBC driver's way of sending the rows of a
            batch as one statement; else as it comes.
    """
    batch_ids = new_batches(1)
    topic = stack.names.of_batch(batch_ids[0])
    create_topics(stack, [topic])
    events = write(stack, batch_ids, files)
    asyncio.run(stack.execute(TABLE_SQL))
    asyncio.run(stack.execute("CHECKPOINT"))
    with _connect(stack, topic, tuned=tuned) as connect:
        until(connect, stack.database_url, f"SELECT count(*) FROM {TABLE}", events, every_s=ASK_EVERY_S)
    return asyncio.run(commits(stack.database_url, TABLE))


@contextmanager
def _connect(stack: BenchStack, topic: str, *, tuned: bool) -> Iterator[Service]:
    port = free_port()
    directory = stack.directory / "connect"
    directory.mkdir(exist_ok=True)
    jars = tools.maven_jars(POM, JARS / "connect")
    files = (
        _properties(directory / "worker.properties", _worker(stack, port, directory, tuned=tuned)),
        _properties(directory / "sink.properties", _sink(stack, topic, tuned=tuned)),
    )
    service = Service(
        name="connect",
        command=lambda: [
            str(tools.java()), "-cp", f"{jars}/*", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", *HEAP,
            "org.apache.kafka.connect.cli.ConnectStandalone", *map(str, files),
        ],
        directory=directory,
        healthy=lambda: _state(port),
        tied=True,
    )  # fmt: skip
    service.start()
    try:
        service.wait(START_TIMEOUT_S)
        yield service
    finally:
        service.stop()


def _worker(stack: BenchStack, port: int, directory: Path, *, tuned: bool) -> dict[str, str]:
    schema = {
        "type": "struct",
        "fields": [{"field": name, "type": kind, "optional": True} for name, kind in FIELDS.items()],
    }
    settings = {
        "bootstrap.servers": stack.bootstrap,
        "listeners": f"http://127.0.0.1:{port}",
        "offset.storage.file.filename": str(directory / "offsets"),
        "plugin.discovery": "service_load",
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schema.content": json.dumps(schema),
        "header.converter": "org.apache.kafka.connect.converters.ByteArrayConverter",  # the only one that reads none
    }
    if tuned:
        settings["consumer.max.poll.records"] = "5000"
        settings["consumer.max.partition.fetch.bytes"] = str(8 << 20)
    return settings


def _sink(stack: BenchStack, topic: str, *, tuned: bool) -> dict[str, str]:
    database = urlsplit(stack.database_url)
    options = {"stringtype": "unspecified"}  # PostgreSQL reads the timestamps
    settings = {}
    if tuned:
        options["reWriteBatchedInserts"] = "true"
        settings["batch.size"] = "5000"
    return settings | {
        "name": NAME,
        "connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector",
        "tasks.max": "1",  # a topic of one partition gives work to one
        "topics": topic,
        "connection.url": f"jdbc:postgresql://{database.hostname}:{database.port}{database.path}?{urlencode(options)}",
        "connection.username": str(database.username),
        "connection.password": "unused",
        "collection.name.format": TABLE.lower(),
        "insert.mode": "insert",
        "primary.key.mode": "none",
        "schema.evolution": "none",
        "transforms": "position",
        "transforms.position.type": "org.apache.kafka.connect.transforms.InsertField$Value",
        "transforms.position.offset.field": "topicOffset",
    }


def _properties(path: Path, settings: Mapping[str, str]) -> Path:
    path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    return path


def _state(port: int) -> str | None:
    """None when the sink's task runs, else how it stands."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/connectors/{NAME}/status", timeout=5) as answer:
            tasks = json.load(answer)["tasks"]
    except OSError as error:
        return str(error)
    states = [task["state"] for task in tasks]
    return None if states == ["RUNNING"] else f"tasks: {states}"
