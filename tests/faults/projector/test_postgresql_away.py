"""PostgreSQL dies, refuses or is full: the projector waits and says so, then every event counts once."""

from __future__ import annotations

import asyncio
import functools
import operator
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import asyncpg
import pytest

from infra.local.postgres import PostgresServer
from support import servers
from support.batches import batch_events
from support.eventually import eventually
from support.load import Load
from support.programs import Program
from support.size import full_or
from support.tables import tables_of
from support.topics import Topics

RESTARTS = full_or(10, 4)
START_TIMEOUT_S = 60
CONNECTIONS = 9  # of a server that has few
DISK_MB = 64
BALLAST_LEFT_MB = 2  # of the disk, for the projector to fill
EVENTS = "headway_projector_events_total"
PROJECTORS_SESSIONS = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'headway-projector'
"""
WAITING = 'headway_projector_waiting{server="PostgreSQL"}'


def shut_down_immediately(server: PostgresServer) -> None:
    """PostgreSQL's immediate shutdown: it tells its clients and ends without a checkpoint."""
    process = server.process()
    assert process is not None
    process.send_signal(signal.SIGQUIT)
    process.wait(timeout=10)


@pytest.mark.timeout(300)
async def test_postgresql_killed_or_shut_down_again_and_again_under_load_loses_and_doubles_nothing(
    own_postgres: PostgresServer, make_projector: Callable[..., Program], topics: Topics, batch_id: int
) -> None:
    projector = make_projector(HEADWAY_PROJECTOR_POLL_RECORDS="500")
    projector.run()
    load = Load(topics, batch_id, batches=10, events=50_000)
    async with load.in_background():
        for number in range(1, RESTARTS + 1):
            load.allow(number / RESTARTS)
            before = projector.metric(EVENTS)
            await eventually(functools.partial(projector.metric, EVENTS), functools.partial(operator.lt, before))
            if number % 2:
                own_postgres.kill()
            else:
                shut_down_immediately(own_postgres)
            await eventually(projector.healthy, lambda wrong: "PostgreSQL" in (wrong or ""))
            own_postgres.start()
            await asyncio.to_thread(own_postgres.wait, START_TIMEOUT_S)
    async with tables_of(own_postgres) as tables:
        assert await tables.differences(topics, load.batch_ids) == []
    await eventually(projector.healthy, lambda wrong: wrong is None)


async def fill(server: PostgresServer, crowd: AsyncExitStack) -> None:
    """Take every connection that a server gives, until the stack is left."""
    while True:
        try:
            one = await asyncpg.connect(server.database_url)
        except asyncpg.TooManyConnectionsError:
            return
        crowd.push_async_callback(one.close)


@pytest.fixture
def crowded_postgres() -> Iterator[PostgresServer]:
    """A server that takes few connections."""
    options = {"max_connections": str(CONNECTIONS), "superuser_reserved_connections": "0"}
    with servers.scratch_directory() as directory, servers.local_postgres(directory, options) as server:
        yield server


async def test_a_server_that_takes_no_more_connections_is_waited_for_and_named(
    crowded_postgres: PostgresServer, make_projector: Callable[..., Program], topics: Topics, batch_id: int
) -> None:
    projector = make_projector(HEADWAY_DATABASE_URL=crowded_postgres.database_url)
    projector.run()
    topics.create(batch_id)
    topics.announce(batch_id)
    topics.write_events(batch_events(batch_id, 100))
    async with tables_of(crowded_postgres) as tables:
        await tables.wait_for(batch_id, 103)
        async with AsyncExitStack() as crowd:
            while await tables.connection.fetchval(PROJECTORS_SESSIONS):
                await fill(crowded_postgres, crowd)  # so that the projector does not get back what it loses
            topics.write_events(batch_events(batch_id, 100, failed=1))
            wrong = await eventually(projector.healthy, lambda said: "PostgreSQL" in (said or ""))
            assert "too many clients" in (wrong or "") or "connection slots" in (wrong or "")
            assert projector.metric(WAITING) == 1
        assert await tables.differences(topics, [batch_id]) == []
    await eventually(projector.healthy, lambda said: said is None)
    assert projector.metric(WAITING) == 0


@contextmanager
def small_disk(directory: Path) -> Iterator[Path]:
    """A file system of its own, of few megabytes."""
    directory.mkdir()
    mounted = os.geteuid() == 0 and (
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=0777", "headway-test", str(directory)],
            capture_output=True,
            check=False,
        ).returncode
        == 0
    )
    if not mounted:
        pytest.skip("mounting a tmpfs is not permitted here; the connection limit tries the same waiting")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


@pytest.fixture
def full_disk(own_postgres: PostgresServer) -> Iterator[Path]:
    """A small disk on which the tables of the test's database lie; a file `ballast` fills it all but a little."""
    with servers.scratch_directory() as directory, small_disk(directory / "disk") as disk:
        place = disk / "tablespace"
        place.mkdir()
        if own_postgres.user is not None:
            shutil.chown(place, own_postgres.user)
        asyncio.run(_use_tablespace(own_postgres.database_url, place))
        try:
            yield disk
        finally:
            own_postgres.stop()


async def _use_tablespace(database_url: str, place: Path) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute(f"CREATE TABLESPACE small LOCATION '{place}'")
    await connection.execute("ALTER DATABASE headway SET default_tablespace = small")
    await connection.close()


async def test_a_full_disk_is_waited_for_and_named_and_then_nothing_is_missing(
    own_postgres: PostgresServer,
    full_disk: Path,
    make_projector: Callable[..., Program],
    topics: Topics,
    batch_id: int,
) -> None:
    projector = make_projector(HEADWAY_PROJECTOR_POLL_RECORDS="500")
    projector.run()
    load = Load(topics, batch_id, batches=3, events=20_000)
    ballast = full_disk / "ballast"
    ballast.write_bytes(bytes(shutil.disk_usage(full_disk).free - (BALLAST_LEFT_MB << 20)))
    async with load.in_background():
        load.allow(1)
        wrong = await eventually(projector.healthy, lambda said: "No space left on device" in (said or ""))
        assert "PostgreSQL" in (wrong or "")
        assert projector.metric(WAITING) == 1
        ballast.unlink()
    async with tables_of(own_postgres) as tables:
        assert await tables.differences(topics, load.batch_ids) == []
    await eventually(projector.healthy, lambda said: said is None)
