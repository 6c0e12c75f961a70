"""The projectors that these tests kill, freeze and restart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from support.programs import HEALTHY_WITHIN_S, Program


@pytest.fixture
async def projectors(make_projector: Callable[..., Program]) -> list[Program]:
    """Three that share the batches and commit often, so that there are many moments at which they can be met."""
    three = [make_projector(HEADWAY_PROJECTOR_POLL_RECORDS="500") for _ in range(3)]
    for one in three:
        one.start()
    for one in three:
        await asyncio.to_thread(one.wait, HEALTHY_WITHIN_S)
    return three
