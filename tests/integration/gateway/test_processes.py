"""Several processes of one gateway: all serve the port, one that dies is replaced, and all drain together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import aiohttp
import psutil
import pytest

from support.batches import batch_events
from support.eventually import eventually
from support.programs import Program
from support.stream import ids, read
from support.topics import Topics


@pytest.fixture
def gateway(make_gateway: Callable[..., Program]) -> Program:
    """A running gateway of two processes."""
    running = make_gateway(HEADWAY_GATEWAY_PROCESSES="2")
    running.run()
    return running


def serving(gateway: Program) -> dict[int, int]:
    """How many clients each of its processes has."""
    process = gateway.process()
    assert process is not None
    found = {}
    for child in process.children():
        with suppress(psutil.NoSuchProcess):  # it has just ended
            if _listens(child):
                found[child.pid] = len(_clients(child, gateway.port))
    return found


def _clients(child: psutil.Process, port: int) -> list[object]:
    return [one for one in child.net_connections() if one.status == psutil.CONN_ESTABLISHED and one.laddr.port == port]


def _listens(child: psutil.Process) -> bool:
    return any(one.status == psutil.CONN_LISTEN for one in child.net_connections())


async def test_clients_are_spread_over_the_processes_and_all_get_everything(
    gateway: Program, client: aiohttp.ClientSession, topics: Topics, batch_id: int
) -> None:
    topics.create(batch_id)
    *events, closing = batch_events(batch_id, 50)
    topics.write_events(events)
    await eventually(lambda: serving(gateway), lambda found: len(found) == 2)
    reading = [asyncio.create_task(read(client, batch_id)) for _ in range(30)]
    spread = await eventually(lambda: serving(gateway), lambda found: sum(found.values()) >= 30)
    assert min(spread.values()) > 0
    topics.write_events([closing])
    assert [ids(found) for found in await asyncio.gather(*reading)] == [list(range(53))] * 30


async def test_a_process_that_dies_is_replaced_and_sigterm_ends_them_all_with_a_goodbye(
    gateway: Program, client: aiohttp.ClientSession, topics: Topics, batch_id: int
) -> None:
    topics.create(batch_id)
    topics.write_events(batch_events(batch_id, 3))
    topics.write_events([next(batch_events(batch_id, 3))])  # opened again: the stream does not end by itself
    killed = next(iter(serving(gateway)))
    psutil.Process(killed).kill()
    await eventually(lambda: serving(gateway).keys(), lambda pids: len(pids) == 2 and killed not in pids)
    family = list(serving(gateway))
    async with client.get("/api/stream", params={"batchId": str(batch_id), "from": "latest"}) as response:
        await asyncio.to_thread(gateway.stop)
        assert (await response.content.read()).count(b"retry: ") == 2  # the usual one, and the goodbye
    assert not any(psutil.pid_exists(pid) for pid in family)
