"""Waits for something to become true, and shows the last value seen when it does not."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

Value = TypeVar("Value")

PAUSE_S = 0.05


@overload
async def eventually(
    read: Callable[[], Awaitable[Value]], expected: Callable[[Value], bool], *, within_s: float = 30.0
) -> Value: ...


@overload
async def eventually(
    read: Callable[[], Value], expected: Callable[[Value], bool], *, within_s: float = 30.0
) -> Value: ...


async def eventually(read: Callable[[], Any], expected: Callable[[Any], bool], *, within_s: float = 30.0) -> Any:
    """The first value of `read()` that `expected` accepts; fails with the last one when none came in time."""
    deadline = time.monotonic() + within_s
    while True:
        value = read()
        seen = await value if inspect.isawaitable(value) else value
        if expected(seen):
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"Not within {within_s:g} s; the last value was {seen!r}")
        await asyncio.sleep(PAUSE_S)
