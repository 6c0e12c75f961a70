"""Brings the database to today's schema: the numbered files of `sql/migrations`, each once, in order; then grants."""

from __future__ import annotations

import logging
from importlib.resources import files
from typing import Final

import asyncpg

from headway_projector.errors import MigrationFailed

logger = logging.getLogger(__name__)

LOCK: Final = 0x68656164  # "head": one program migrates at a time, the others wait
TABLE: Final = """
CREATE TABLE IF NOT EXISTS headwayMigration (name text PRIMARY KEY, appliedAt timestamptz NOT NULL DEFAULT now())
"""


def migrations() -> list[tuple[str, str]]:
    """Name and SQL of every migration, in order."""
    directory = files("headway_projector") / "sql" / "migrations"
    return sorted((path.name, path.read_text()) for path in directory.iterdir() if path.name.endswith(".sql"))


async def migrate(database_url: str) -> list[str]:
    """Apply the migrations that are missing; their names.

    Raises:
        OSError, asyncpg.PostgresError: PostgreSQL does not answer.
        MigrationFailed: a migration was refused; the database is as it was before that one.
    """
    connection = await asyncpg.connect(database_url, timeout=5)
    applied = []
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
        await connection.execute(TABLE)
        known = {row["name"] for row in await connection.fetch("SELECT name FROM headwayMigration")}
        for name, sql in migrations():
            if name in known:
                continue
            try:
                async with connection.transaction():
                    await connection.execute(sql)
                    await connection.execute("INSERT INTO headwayMigration (name) VALUES ($1)", name)
            except asyncpg.PostgresError as error:
                raise MigrationFailed(f"{name}: {error}") from error
            applied.append(name)
            logger.info("Applied a migration", extra={"action": "migration_applied", "migration": name})
        await connection.execute((files("headway_projector") / "sql" / "grants.sql").read_text())
    finally:
        await connection.close()
    return applied
