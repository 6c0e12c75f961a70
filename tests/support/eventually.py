"""Waits for something to become true, and shows the last value seen when it does not."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Value = TypeVar("Value")

PAUSE_S = 0.05


async def eventually(
    read: Callable[[], Value | Awaitable[Value]], expected: Callable[[Value], bool], *, within_s: float = 30.0
) -> Value:
    """The first value of `read()` that `expected` accepts; fails with the last one when none came in time."""
    deadline = time.monotonic() + within_s
    while True:
        value = read()
        seen: Value = await value if inspect.isawaitable(value) else value
        if expected(seen):
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"Not within {within_s:g} s; the last value was {seen!r}")
        await asyncio.sleep(PAUSE_S)
