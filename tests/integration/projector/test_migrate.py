"""The database comes to today's schema once, whoever asks and however often."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from headway_projector.errors import MigrationFailed
from headway_projector.migrate import migrate, migrations

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


async def test_every_view_says_what_it_holds(database_url: str) -> None:
    await migrate(database_url)
    connection = await asyncpg.connect(database_url)
    rows = await connection.fetch(
        "SELECT relname, obj_description(oid) AS comment FROM pg_class"
        " WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace"
    )
    await connection.close()
    assert {row["relname"] for row in rows} == VIEWS
    assert [row["relname"] for row in rows if not row["comment"]] == []
