"""Writes docs/reference/tables.md: every view that analysts read, from the comments in a database of today's schema.

    python -m infra.docs.tables_reference      # the database that HEADWAY_DATABASE_URL names, as `make up` has one

A test compares the page with a database that has just been made.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import asyncpg

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "reference" / "tables.md"
DEFAULT: Final = "postgresql://headway@127.0.0.1:5433/headway"
HEAD: Final = """# Views in PostgreSQL

What analysts read, with the role `headway_analyst` ([how it is made](../operate/security.md#postgresql)): these views,
and nothing else. The tables behind them may change with any version, the views only as [the policy](evolution.md) says.
`psql` shows the same by `\\d+ stageRun`.

PostgreSQL folds names to lower case: `batchId` is `batchid` in what a query returns, unless it says `AS "batchId"`.
How to use them: [analyse batches](../how-to/analyse.md).
"""
MIGRATIONS: Final = ROOT / "projector" / "headway_projector" / "sql" / "migrations"
SPELLED: Final = re.compile(r"(?:CREATE VIEW|COMMENT ON COLUMN) (\w+)(?:\.(\w+))?")  # the catalog has lower case
COLUMNS: Final = """
SELECT relname AS view, obj_description(pg_class.oid) AS meaning, attname AS column,
       format_type(atttypid, atttypmod) AS type, col_description(pg_class.oid, attnum) AS of_column
FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
WHERE relkind = 'v' AND relnamespace = current_schema()::regnamespace AND attnum > 0
ORDER BY relname, attnum
"""


async def page(connection: asyncpg.Connection) -> str:
    """The page's text, of a database of today's schema."""
    spelled = {name.lower(): name for name in _names()}
    views: dict[str, list[str]] = {name: [] for name in spelled}
    for row in await connection.fetch(COLUMNS):
        lines = views[row["view"]]
        if not lines:
            lines += [
                f"## {spelled[row['view']]}",
                "",
                row["meaning"],
                "",
                "| column | type | meaning |",
                "|---|---|---|",
            ]
        column = spelled[f"{row['view']}.{row['column']}"].partition(".")[2]
        lines.append(f"| `{column}` | {row['type']} | {row['of_column']} |")
    return HEAD + "".join("\n" + "\n".join(lines) + "\n" for lines in views.values() if lines)


def _names() -> Iterator[str]:
    """Views, and columns as `view.column`, spelled as in the migrations, in their order there."""
    for path in sorted(MIGRATIONS.glob("*.sql")):
        for view, column in SPELLED.findall(path.read_text()):
            yield f"{view}.{column}" if column else view


async def main() -> None:
    """Write the page."""
    connection = await asyncpg.connect(os.environ.get("HEADWAY_DATABASE_URL") or DEFAULT)
    try:
        PAGE.write_text(await page(connection))
    finally:
        await connection.close()


if __name__ == "__main__":
    asyncio.run(main())
