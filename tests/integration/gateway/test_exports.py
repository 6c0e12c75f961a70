"""Exports have what the tables have, whole or not at all, in bounded memory and time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from headway_events import (
    BatchComplete,
    Event,
    FileComplete,
    FileError,
    StageComplete,
    StageProgress,
    StageStart,
    WorkerHeartbeat,
)

from infra.local.postgres import PostgresServer
from support.api import get
from support.batches import batch_events
from support.eventually import eventually
from support.exports import rows_of, without_apostrophe
from support.programs import Program
from support.projected import projected
from support.stream import read
from support.tables import Tables
from support.topics import Topics

NOW = datetime(2026, 11, 24, 10, 1, 40, 123456, tzinfo=UTC)
ODD_NAMES = ["=1+1.wav", "'=x", "''plain", "-a", "@b", "\tc", "d\r\ne", 'q"uo,te', "録音 🎧.wav", "\u2028"]
LARGE = 120_000  # files: 30 MB of events, more than the sockets between gateway and client hold


def odd_events(batch_id: int) -> Iterator[Event]:
    """Every type of event, names that formats trip over, two runs."""
    for run in range(2):
        yield StageStart(batch_id=batch_id, timestamp=NOW, stage="=denoise", total_files=len(ODD_NAMES))
        for number, name in enumerate(ODD_NAMES):
            response = msgspec.Raw(msgspec.json.encode({"status": "x", "text": name, "number": number}))
            kind = FileError if number == 3 else FileComplete
            yield kind(
                batch_id=batch_id, timestamp=NOW, stage="=denoise", file_name=name, response=response,
                gpu_ip="10.0.0.7" if number % 2 else None, duration_ms=0.1 * number if number else None,
            )  # fmt: skip
        yield WorkerHeartbeat(batch_id=batch_id, timestamp=NOW, stage="=denoise", worker="+w")
        yield StageProgress(batch_id=batch_id, stage="=denoise", processed_files=run, total_files=10)
    yield StageComplete(batch_id=batch_id, timestamp=NOW, stage="=denoise", processed_files=9, failed_files=1)
    yield FileComplete(batch_id=batch_id, timestamp=NOW, stage="=denoise", file_name="late")
    yield BatchComplete(batch_id=batch_id, timestamp=NOW)


async def export(client: aiohttp.ClientSession, batch_id: int, form: str, what: str = "events") -> bytes:
    async with client.get(f"/api/batches/{batch_id}/export?format={form}&what={what}") as response:
        assert response.status == 200, await response.text()
        assert response.headers["Content-Disposition"] == f'attachment; filename="batch-{batch_id}-{what}.{form}"'
        return await response.read()


async def make_batch(topics: Topics, tables: Tables, batch_id: int, files: int) -> None:
    topics.create(batch_id)
    topics.announce(batch_id)
    await asyncio.to_thread(topics.write_events, batch_events(batch_id, files, failed=files // 100))
    await tables.wait_for(batch_id, files + 3)


async def test_an_export_of_events_is_the_log_row_for_row_in_every_format(
    client: aiohttp.ClientSession, projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    topic = topics.create(batch_id)
    topics.announce(batch_id)
    topics.write_events(odd_events(batch_id))
    indented = b'{\n "eventType": "file_error",\r\n "batchId": %d, "stage": "s", "fileName": "i"\n}' % batch_id
    topics.write(topic, [b"no event", indented])
    await tables.wait_for(batch_id, len(list(odd_events(batch_id))) + 2)

    log = (await tables.of_batch(batch_id)).log
    events = [json.loads(row.value) for row in log]
    lines = (await export(client, batch_id, "ndjson")).split(b"\n")
    streamed = [message.data.encode() for message in await read(client, batch_id, most=len(log))]
    assert lines == [*(data.replace(b"\n", b" ") for data in streamed), b""]
    table = rows_of(await export(client, batch_id, "parquet"), "parquet")
    assert table == [
        {
            "batchId": batch_id, "offset": row.topicoffset, "eventType": row.eventtype, "stage": row.stage,
            "run": row.run, "late": row.late, "timestamp": row.timestamp, "fileName": row.filename,
            "durationMs": row.durationms, "gpuIp": row.gpuip, "totalFiles": row.totalfiles,
            "processedFiles": row.processedfiles, "failedFiles": row.failedfiles, "worker": event.get("worker"),
            "response": msgspec.json.encode(event["response"]).decode() if "response" in event else None,
        }
        for row, event in zip(log, events, strict=True)
    ]  # fmt: skip
    assert [
        {name: without_apostrophe(text) for name, text in row.items()}
        for row in rows_of(await export(client, batch_id, "csv"), "csv")
    ] == [{name: as_text(value) for name, value in row.items()} for row in table]


def as_text(value: Any) -> str:
    """A value as CSV has it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else str(value)


async def test_an_export_of_files_is_every_outcome_of_every_run_in_every_format(
    client: aiohttp.ClientSession, projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    await projected(topics, tables, batch_id, odd_events(batch_id))

    outcomes = (await tables.of_batch(batch_id)).outcomes
    expected = [
        {
            "batchId": batch_id, "stage": stage, "run": run, "isCurrent": run == 2, "fileName": name,
            "outcome": row.outcome, "durationMs": row.durationms, "offset": row.topicoffset,
        }
        for (stage, run, name), row in sorted(outcomes.items())
    ]  # fmt: skip
    assert len(expected) == 2 * len(ODD_NAMES)
    for form in ("ndjson", "parquet"):
        assert rows_of(await export(client, batch_id, form, "files"), form) == expected
    assert [
        {name: without_apostrophe(text) for name, text in row.items()}
        for row in rows_of(await export(client, batch_id, "csv", "files"), "csv")
    ] == [{name: as_text(value) for name, value in row.items()} for row in expected]


async def test_the_memory_of_an_export_does_not_grow_with_its_size(
    client: aiohttp.ClientSession, projector: Program, gateway: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    small, large = batch_id, batch_id + 1
    await make_batch(topics, tables, small, LARGE // 4)
    await make_batch(topics, tables, large, LARGE)
    for form in ("csv", "ndjson", "parquet"):
        for what in ("events", "files"):
            assert len(rows_of(await export(client, small, form, what), form)) in {LARGE // 4, LARGE // 4 + 3}
    before = peak_memory(gateway)
    for form in ("csv", "ndjson", "parquet"):
        for what in ("events", "files"):
            assert len(rows_of(await export(client, large, form, what), form)) in {LARGE, LARGE + 3}
    assert peak_memory(gateway) < 1.25 * before


def peak_memory(program: Program) -> int:
    """The most kilobytes that a program has had in memory."""
    process = program.process()
    assert process is not None
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


async def test_an_export_that_loses_postgresql_breaks_off_and_is_never_taken_for_whole(
    own_postgres: PostgresServer,
    client: aiohttp.ClientSession,
    projector: Program,
    gateway: Program,
    topics: Topics,
    tables: Tables,
    batch_id: int,
) -> None:
    await make_batch(topics, tables, batch_id, LARGE)
    for form in ("csv", "ndjson", "parquet"):
        async with client.get(f"/api/batches/{batch_id}/export?format={form}") as response:
            assert await response.content.readany()
            own_postgres.kill()
            with pytest.raises(aiohttp.ClientError):
                await response.read()
        problem = await get(client, f"/api/batches/{batch_id}/export?format={form}", 503)
        assert problem["type"] == "/problems/DatabaseAway"
        own_postgres.start()
        await asyncio.to_thread(own_postgres.wait, 60)
    assert gateway.log_text().count("export_ended_early") == 3


async def test_clients_that_stop_reading_are_cut_off_hold_no_transaction_and_let_others_begin(
    make_gateway: Callable[..., Program], projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    gateway = make_gateway(HEADWAY_GATEWAY_WRITE_TIMEOUT_S="2")
    gateway.run()
    await make_batch(topics, tables, batch_id, LARGE)
    path = f"/api/batches/{batch_id}/export?format=ndjson"
    async with aiohttp.ClientSession(gateway.url) as client:
        frozen = [await client.get(path) for _ in range(4)]
        assert [response.status for response in frozen] == [200] * 4
        async with client.get(path) as refused:
            assert (refused.status, refused.headers["Retry-After"]) == (503, "10")
            assert json.loads(await refused.text())["type"] == "/problems/TooManyExports"
        await eventually(lambda: transactions(tables), lambda open_ones: open_ones == 0)
        for response in frozen:
            with pytest.raises(aiohttp.ClientError):
                await response.read()
        assert len(rows_of(await export(client, batch_id, "ndjson"), "ndjson")) == LARGE + 3


async def transactions(tables: Tables) -> int:
    """How many transactions of gateways are open in this database."""
    found = await tables.connection.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'headway-gateway' AND xact_start IS NOT NULL"
        " AND datname = current_database()"
    )
    return int(found)


async def test_an_export_that_takes_too_long_is_cut_off(
    make_gateway: Callable[..., Program], projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    gateway = make_gateway(HEADWAY_GATEWAY_EXPORT_TIMEOUT_S="2")
    gateway.run()
    await make_batch(topics, tables, batch_id, LARGE)
    async with (
        aiohttp.ClientSession(gateway.url) as client,
        client.get(f"/api/batches/{batch_id}/export?format=ndjson") as response,
    ):
        await eventually(gateway.log_text, lambda text: "export_ended_early" in text)
        with pytest.raises(aiohttp.ClientError):
            await response.read()


async def test_without_pyarrow_parquet_is_a_problem_that_names_the_extra_and_the_rest_works(
    make_gateway: Callable[..., Program],
    projector: Program,
    topics: Topics,
    tables: Tables,
    batch_id: int,
    tmp_path: Path,
) -> None:
    (tmp_path / "pyarrow.py").write_text("raise ImportError('hidden by this test')\n")
    gateway = make_gateway(PYTHONPATH=str(tmp_path))
    gateway.run()
    await make_batch(topics, tables, batch_id, 10)
    async with aiohttp.ClientSession(gateway.url) as client:
        problem = await get(client, f"/api/batches/{batch_id}/export?format=parquet", 501)
        assert "headway-gateway[parquet]" in problem["detail"]
        assert len(rows_of(await export(client, batch_id, "csv"), "csv")) == 13


async def test_an_export_of_what_is_not_there_is_a_problem_and_head_has_no_body(
    client: aiohttp.ClientSession, projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    path = f"/api/batches/{batch_id}/export"
    assert (await get(client, f"/api/batches/{batch_id + 1}/export", 404))["type"] == "/problems/NoSuchBatch"
    assert (await get(client, f"{path}?format=xlsx", 400))["detail"].endswith("one of csv, ndjson, parquet")
    topics.create(batch_id)
    assert rows_of(await export(client, batch_id, "csv"), "csv") == []
    assert rows_of(await export(client, batch_id, "parquet"), "parquet") == []
    topics.announce(batch_id)
    topics.write_events([StageStart(batch_id=batch_id, stage="s")])
    await tables.wait_for(batch_id, 1)
    async with client.head(path) as response:
        assert (response.status, await response.read()) == (200, b"")
        assert response.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
