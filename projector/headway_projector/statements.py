"""Named SQL statements from the files of `sql/`, and the rows that they give."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import aiosql
import asyncpg


def load(name: str) -> Any:
    """The statements of a file, each a function of a connection and its parameters by name."""
    path = files("headway_projector") / "sql" / name
    return aiosql.from_path(str(path), "asyncpg", mandatory_parameters=False)


async def rows(query: Any) -> list[asyncpg.Record]:
    """The rows of a statement: aiosql gives an awaitable or an asynchronous generator, by version."""
    return [row async for row in query] if hasattr(query, "__aiter__") else list(await query)
