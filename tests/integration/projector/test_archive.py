"""The Parquet archive is the log of the batches that have ended: each offset once, and nothing of it twice."""

from __future__ import annotations

import ast
import asyncio
import functools
import io
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import aiohttp
import duckdb
import msgspec
import pyarrow.parquet as pq
import pytest
from headway_events import BatchComplete, Event, FileComplete, StageComplete, StageProgress, StageStart, WorkerHeartbeat
from headway_projector import parquet

from support.archive import archived, as_archived, parts
from support.batches import ERROR, batch_events
from support.commands import headway_projector
from support.eventually import eventually
from support.pipelines import code_blocks
from support.programs import Program
from support.projected import projected
from support.tables import Tables, expected
from support.topics import Topics

NOW = datetime(2026, 11, 24, 10, 1, 40, 123456, tzinfo=UTC)


def odd_events(batch_id: int) -> Iterator[Event]:
    """Every type of event, odd texts, two runs, an event after the end."""
    for run in range(2):
        yield StageStart(batch_id=batch_id, timestamp=NOW, stage="d/=2", total_files=2)
        for name in ("a\tb\\n.wav", "録音 🎧.wav", "\u2028"):
            yield FileComplete(
                batch_id=batch_id, timestamp=NOW, stage="d/=2", file_name=name, duration_ms=0.1, gpu_ip="10.0.0.7",
                worker="gpu-3:17", response=msgspec.Raw(b'{ "status" : "success", "text": "\\u0000", "n": 1e400}'),
            )  # fmt: skip
        yield WorkerHeartbeat(batch_id=batch_id, timestamp=NOW, stage="d/=2", worker="w", files_in_flight=["x"])
        yield StageProgress(batch_id=batch_id, stage="d/=2", processed_files=run, total_files=10)
    yield StageComplete(batch_id=batch_id, timestamp=NOW, stage="d/=2", processed_files=9, failed_files=1)
    yield FileComplete(batch_id=batch_id, timestamp=NOW, stage="d/=2", file_name="late", response=ERROR)
    yield BatchComplete(batch_id=batch_id, timestamp=NOW)


async def make(topics: Topics, tables: Tables, batches: dict[int, list[Event]]) -> None:
    topics.create_all(batches)
    topics.announce_all(batches)
    topics.write_events(event for events in batches.values() for event in events)
    for one, events in batches.items():
        await tables.wait_for(one, len(events))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the archive is."""
    return tmp_path / "archive"


@pytest.fixture
def archive(environment: dict[str, str], directory: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command to its end."""
    return lambda: headway_projector(environment, "archive", str(directory))


@pytest.mark.usefixtures("projector")
async def test_the_archive_is_the_log_row_for_row_and_what_the_gateway_exports(
    archive: Callable[..., subprocess.CompletedProcess[str]], client: aiohttp.ClientSession, topics: Topics,
    tables: Tables, batch_id: int, directory: Path,
) -> None:  # fmt: skip
    topic = topics.create(batch_id)
    topics.announce(batch_id)
    events = list(odd_events(batch_id))
    topics.write(topic, [b"no event"])
    topics.write_events(events)
    await tables.wait_for(batch_id, len(events) + 1)
    done = archive()
    assert (done.returncode, done.stdout) == (0, f"batch {batch_id}: {len(events)} events, offsets 0 to 15\n")

    log = (await tables.of_batch(batch_id)).log
    assert log == expected(batch_id, topics.read(topic)).log
    rows = archived(directory, batch_id)
    assert rows == as_archived(batch_id, log)
    async with client.get(f"/api/batches/{batch_id}/export?format=parquet") as answer:
        exported = pq.read_table(io.BytesIO(await answer.read()))
    assert exported.to_pylist() == [{name: row[name] for name in row if name != "value"} for row in rows]
    schema = pq.read_schema(parts(directory, batch_id)[0])
    assert exported.schema == schema.remove(schema.get_field_index("value"))
    assert all(field.metadata[b"description"] for field in schema)
    overview = await tables.overview(batch_id)
    assert overview["parquetoffset"] == len(events) + 1
    announced = overview["createdat"].astimezone(UTC).date().isoformat()
    assert parts(directory, batch_id) == [directory / f"date={announced}/batch={batch_id}/part-000000000000.parquet"]


@pytest.mark.usefixtures("projector")
async def test_what_has_ended_is_archived_once_and_goes_on_in_a_part_of_its_own_when_it_is_opened_again(
    archive: Callable[..., subprocess.CompletedProcess[str]], topics: Topics, tables: Tables, batch_id: int,
    directory: Path,
) -> None:  # fmt: skip
    ended, open_ = batch_id, batch_id + 1
    events = list(batch_events(ended, 20, failed=3))
    await make(topics, tables, {ended: events, open_: list(batch_events(open_, 20))[:-1]})
    assert archive().stdout.splitlines() == [f"batch {ended}: 23 events, offsets 0 to 22"]
    (first,) = parts(directory, ended)
    before = first.read_bytes()
    assert (archive().stdout, parts(directory, open_)) == ("", [])
    await tables.connection.execute("UPDATE batch SET parquetOffset = 0")  # as if it was killed before it noted it
    assert archive().stdout == f"batch {ended}: was there\n"

    topics.write_events(batch_events(ended, 5))
    await tables.wait_for(ended, 31)
    assert archive().stdout == f"batch {ended}: 8 events, offsets 23 to 30\n"
    assert first.read_bytes() == before
    assert [path.name for path in parts(directory, ended)] == ["part-000000000000.parquet", "part-000000000023.parquet"]
    assert archived(directory, ended) == as_archived(ended, (await tables.of_batch(ended)).log)
    assert list((directory / ".writing").iterdir()) == []


@pytest.mark.usefixtures("projector")
async def test_archivers_at_once_write_each_batch_once(
    environment: dict[str, str], topics: Topics, tables: Tables, batch_id: int, directory: Path
) -> None:
    batches = {one: list(batch_events(one, 200)) for one in range(batch_id, batch_id + 12)}
    await make(topics, tables, batches)
    run = functools.partial(headway_projector, environment, "archive", str(directory))
    done = await asyncio.gather(*(asyncio.to_thread(run) for _ in range(3)))
    assert [one.returncode for one in done] == [0, 0, 0], [one.stderr for one in done]
    written = [line for one in done for line in one.stdout.splitlines() if " events, " in line]
    assert len(written) == len(batches)
    for one, events in batches.items():
        (path,) = parts(directory, one)
        assert [row["offset"] for row in archived(directory, one)] == list(range(len(events)))
        assert parquet.held(path) == parquet.stated(path)


async def test_a_batch_that_is_behind_its_topic_waits_and_another_topics_events_are_not_added_to_it(
    archive: Callable[..., subprocess.CompletedProcess[str]], make_projector: Callable[..., Program],
    environment: dict[str, str], topics: Topics, tables: Tables, batch_id: int, directory: Path,
) -> None:  # fmt: skip
    projector = make_projector()
    projector.run()
    await projected(topics, tables, batch_id, batch_events(batch_id, 3))
    projector.stop()
    topics.write_events([BatchComplete(batch_id=batch_id)])
    behind = archive()
    assert (behind.returncode, parts(directory, batch_id)) == (0, [])
    assert "left out: the topic holds more or less than is projected" in behind.stdout
    projector.run()
    await tables.wait_for(batch_id, 7)
    assert archive().stdout == f"batch {batch_id}: 7 events, offsets 0 to 6\n"
    kept = archived(directory, batch_id)

    topics.delete(topics.names.of_batch(batch_id))
    await eventually(lambda: topics.exists(topics.names.of_batch(batch_id)), lambda found: not found)
    topics.create(batch_id)
    topics.write_events(batch_events(batch_id, 30))
    await eventually(functools.partial(tables.overview, batch_id), lambda row: row["problem"] is not None)
    assert headway_projector(environment, "rebuild", str(batch_id), "--from-topic").returncode == 0
    await tables.wait_for(batch_id, 33)
    other = archive()
    assert other.returncode == 1
    assert "another topic's events under its number" in other.stdout
    assert archived(directory, batch_id) == kept


@pytest.mark.usefixtures("projector")
async def test_duckdb_polars_and_pandas_read_the_archive_as_documented_and_only_the_partitions_asked_for(
    archive: Callable[..., subprocess.CompletedProcess[str]], topics: Topics, tables: Tables, batch_id: int,
    directory: Path,
) -> None:  # fmt: skip
    await make(topics, tables, {one: list(batch_events(one, 5)) for one in (batch_id, -batch_id)})
    earlier = "UPDATE batch SET createdAt = '2026-01-02 23:59:59Z' WHERE batchId = $1"
    await tables.connection.execute(earlier, -batch_id)
    assert archive().returncode == 0
    documented = code_blocks("how-to/analyse.md", "python")[0].replace("/srv/archive", str(directory))

    def rows(condition: str = "") -> Any:
        files = f"read_parquet('{directory}/date=*/batch=*/*.parquet', hive_partitioning = true)"
        return duckdb.execute(f"SELECT batch, date, count(*) FROM {files} {condition} GROUP BY ALL").fetchall()

    announced = (await tables.overview(batch_id))["createdat"].astimezone(UTC).date()
    assert sorted(rows()) == sorted([(batch_id, announced, 8), (-batch_id, date(2026, 1, 2), 8)])
    (other,) = parts(directory, batch_id)
    other.write_bytes(b"not looked at")
    assert rows("WHERE date < '2026-01-03'") == [(-batch_id, date(2026, 1, 2), 8)]
    names: dict[str, Any] = {}
    for statement in ast.parse(documented.replace("123", str(-batch_id))).body:
        if isinstance(statement, ast.Expr):
            assert len(eval(ast.unparse(statement), names)) == 8
        else:
            exec(ast.unparse(statement), names)


@pytest.mark.usefixtures("projector")
async def test_a_file_in_which_a_byte_has_changed_is_not_what_its_footer_says(
    archive: Callable[..., subprocess.CompletedProcess[str]], topics: Topics, tables: Tables, batch_id: int,
    directory: Path,
) -> None:  # fmt: skip
    await projected(topics, tables, batch_id, batch_events(batch_id, 300))
    archive()
    (path,) = parts(directory, batch_id)
    part, content = parquet.stated(path), path.read_bytes()
    assert parquet.held(path) == part
    values = pq.read_metadata(path).row_group(0).column(15)
    end, chance = values.data_page_offset + values.total_compressed_size, random.Random(0)
    for _ in range(20):
        changed = bytearray(content)
        changed[chance.randrange(end - values.total_compressed_size // 2, end)] ^= 1  # behind the page's header
        path.write_bytes(changed)
        with pytest.raises((OSError, ValueError, AssertionError)):
            assert parquet.held(path) == part


def test_without_pyarrow_the_command_says_what_to_install(environment: dict[str, str], directory: Path) -> None:
    code = "import sys; sys.modules['pyarrow'] = None; from headway_projector.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "archive", str(directory)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "pip install 'headway-projector[parquet]'" in done.stderr
