"""The database comes to today's schema once, whoever asks and however often."""

from __future__ import annotations

import asyncio
import subprocess

import asyncpg
import pytest
from headway_projector.errors import MigrationFailed
from headway_projector.migrate import migrate, migrations

from infra.docs import tables_reference
from infra.local import tools
from infra.local.postgres import PostgresServer
from infra.local.settings import CHECKOUT

ROLES = CHECKOUT / "infra" / "postgres" / "roles.sql"

VIEWS = {
    "batchcounts",
    "batchoverview",
    "stagerun",
    "fileoutcomeview",
    "eventlog",
    "deadletterview",
    "offsetgapview",
    "busyworkerview",
}


async def test_programs_that_migrate_at_once_apply_each_migration_once(database_url: str) -> None:
    applied = await asyncio.gather(*(migrate(database_url) for _ in range(4)))
    assert sorted(name for names in applied for name in names) == [name for name, _ in migrations()]
    assert await migrate(database_url) == []


async def test_a_migration_that_is_refused_is_named_and_leaves_nothing(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute("CREATE TABLE deadLetter (mine text)")
    with pytest.raises(MigrationFailed, match=r"0001.*deadletter"):
        await migrate(database_url)
    assert await connection.fetchval("SELECT to_regclass('batch')") is None
    await connection.close()


async def test_every_view_and_column_says_what_it_holds_and_so_does_the_documentation(database_url: str) -> None:
    await migrate(database_url)
    connection = await asyncpg.connect(database_url)
    columns = await connection.fetch(tables_reference.COLUMNS)
    assert {row["view"] for row in columns} == VIEWS
    assert [dict(row) for row in columns if not row["meaning"] or not row["of_column"]] == []
    page = await tables_reference.page(connection)
    await connection.close()
    assert tables_reference.PAGE.read_text() == page, "run python -m infra.docs.tables_reference"


async def test_an_analyst_reads_every_view_and_nothing_else(own_postgres: PostgresServer, database_url: str) -> None:
    psql = [str(tools.postgres_bin() / "psql"), "-v", "ON_ERROR_STOP=1", "-q", "-f", str(ROLES), database_url]
    await asyncio.to_thread(subprocess.run, psql, check=True, capture_output=True)
    await migrate(database_url)
    connection = await asyncpg.connect(database_url)
    readable = await connection.fetch(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f')"
        " AND relnamespace = 'public'::regnamespace AND has_any_column_privilege('headway_analyst', oid, 'SELECT')"
    )
    await connection.close()
    assert {row["relname"] for row in readable} == VIEWS
