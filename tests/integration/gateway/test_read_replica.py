"""A gateway that reads a replica of PostgreSQL: what the replica has not heard of yet comes from the topic."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import pytest
from headway_events import Event, decode, fold_batch, resume

from infra.local import tools
from infra.local.postgres import PostgresServer
from infra.local.service import free_port
from support import servers
from support.api import get
from support.batches import batch_events
from support.eventually import eventually
from support.programs import Program
from support.projected import projected
from support.stream import ids, read
from support.tables import tables_of
from support.topics import Topics


@pytest.fixture
def directory() -> Iterator[Path]:
    with servers.scratch_directory() as made:
        yield made


@pytest.fixture
def primary(directory: Path) -> Iterator[PostgresServer]:
    with servers.local_postgres(directory) as server:
        yield server


@pytest.fixture
def replica(directory: Path, primary: PostgresServer) -> Iterator[PostgresServer]:
    """A hot standby that follows the primary."""
    data = directory / "replica"
    server = PostgresServer(directory / "replica-logs", data=data, port=free_port(), tied=True)
    data.mkdir(mode=0o700)
    if server.user is not None:
        shutil.chown(data, server.user)
    command = [str(tools.postgres_bin() / "pg_basebackup"), "--write-recovery-conf", "--checkpoint=fast", f"-D{data}"]
    subprocess.run([*command, "-d", primary.database_url], user=server.user, cwd="/", check=True)
    with servers.running(server):
        yield server


async def test_a_replica_that_lags_shows_less_and_a_stream_from_its_snapshot_misses_nothing(
    primary: PostgresServer, replica: PostgresServer, make_projector: Callable[..., Program],
    make_gateway: Callable[..., Program], topics: Topics, batch_id: int,
) -> None:  # fmt: skip
    make_projector(HEADWAY_DATABASE_URL=primary.database_url).run()
    gateway = make_gateway(HEADWAY_DATABASE_URL=replica.database_url)
    gateway.run()
    events: list[Event] = list(batch_events(batch_id, 100, failed=10))
    async with (
        aiohttp.ClientSession(gateway.url) as client,
        tables_of(primary) as written,
        tables_of(replica) as read_by_gateway,
    ):
        await projected(topics, written, batch_id, events[:60])
        await read_by_gateway.wait_for(batch_id, 60)
        await read_by_gateway.connection.execute("SELECT pg_wal_replay_pause()")
        topics.write_events(events[60:])
        await written.wait_for(batch_id, len(events))

        (stage,) = (await get(client, f"/api/batches/{batch_id}"))["stages"]
        assert (stage["processed"], stage["errors"], stage["status"]) == (59, 0, "processing")
        snapshot, *following = await read(client, batch_id, {"from": "snapshot"})
        assert snapshot.json()["offset"] == 60
        assert ids(following) == list(range(60, len(events)))
        batch = resume(snapshot.json())
        for message in following:
            batch = fold_batch(batch, decode(message.data.encode(), batch_id=batch_id))
        (run,) = batch.stages["denoise"]
        assert (run.processed, run.errors, batch.closed) == (90, 10, True)

        await read_by_gateway.connection.execute("SELECT pg_wal_replay_resume()")
        found = await eventually(
            lambda: get(client, f"/api/batches/{batch_id}"), lambda document: document["status"] != "processing"
        )
        assert found["stages"][0]["errors"] == 10
