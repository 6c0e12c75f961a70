"""Two hundred clients that come and go between gateways: what each has is its topics, event by event."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterable, Iterator

import pytest
from headway_events import Event

from infra.local.kafka import START_TIMEOUT_S, KafkaCluster
from infra.local.service import free_port
from support.batches import batch_events
from support.eventually import eventually
from support.programs import Program
from support.readers import Reader, as_streamed
from support.size import full_or
from support.topics import Topics

pytestmark = pytest.mark.timeout(400)

CLIENTS = 200
EVENTS = full_or(100_000, 20_000)
BATCHES = 20
MOST_AT_ONCE = EVENTS // 250  # events of a batch, written before another's
PAUSE_S = 0.05  # between two such writes: all last for about as long as clients come
WITHIN_S = 240.0

Trouble = Callable[[], Coroutine[None, None, None]]


async def read_by_many(
    topics: Topics, first_batch: int, events: int, addresses: Callable[[], list[str]], trouble: Trouble
) -> None:
    """Write so many events while clients read them and `trouble` happens; then compare each with its topics."""
    chance = random.Random(first_batch)
    batch_ids = [first_batch + number for number in range(BATCHES)]
    await asyncio.to_thread(topics.create_all, batch_ids)
    pending = {batch_id: list(batch_events(batch_id, events // BATCHES - 3, failed=7)) for batch_id in batch_ids}
    readers = [Reader(batch_ids, random.Random(first_batch + number)) for number in range(CLIENTS)]
    async with asyncio.timeout(WITHIN_S), asyncio.TaskGroup() as group:
        group.create_task(_write(topics, pending, chance))
        group.create_task(trouble())
        for reader in readers:
            group.create_task(reader.read(addresses))
    wanted = {batch_id: as_streamed(records) for batch_id, records in topics.read_batches(batch_ids).items()}
    assert sum(told.count for told in wanted.values()) == events
    wrong = [
        (number, batch_id, told, wanted[batch_id])
        for number, reader in enumerate(readers)
        for batch_id, told in reader.found.items()
        if told != wanted[batch_id]
    ]
    assert wrong == []
    assert sum(reader.connections for reader in readers) > 2 * CLIENTS


async def _write(topics: Topics, pending: dict[int, list[Event]], chance: random.Random) -> None:
    while pending:
        batch_id = chance.choice(list(pending))
        most = chance.randint(1, MOST_AT_ONCE)
        some, pending[batch_id] = pending[batch_id][:most], pending[batch_id][most:]
        await asyncio.to_thread(topics.write_events, some)
        if not pending[batch_id]:
            del pending[batch_id]
        await asyncio.sleep(PAUSE_S)


@pytest.fixture
def gateways(make_gateway: Callable[..., Program]) -> list[Program]:
    """Two running gateways. There are no tables: streams do not need PostgreSQL."""
    return list(_running(make_gateway() for _ in range(2)))


def _running(programs: Iterable[Program]) -> Iterator[Program]:
    for program in programs:
        program.run()
        yield program


async def test_gateways_killed_again_and_again_cost_no_client_an_event(
    gateways: list[Program], topics: Topics, batch_id: int
) -> None:
    async def kill() -> None:
        for turn in range(6):
            await asyncio.sleep(2)
            gateway = gateways[turn % 2]
            gateway.kill()
            gateway.start()
            await asyncio.to_thread(gateway.wait, START_TIMEOUT_S)

    await read_by_many(topics, batch_id, EVENTS, lambda: [gateway.url for gateway in gateways], kill)


async def test_gateways_replaced_one_after_the_other_cost_no_client_an_event(
    make_gateway: Callable[..., Program], topics: Topics, batch_id: int
) -> None:
    port = free_port()
    running = list(_running(make_gateway(port, HEADWAY_GATEWAY_REUSE_PORT="1") for _ in range(2)))
    replaced: list[Program] = []

    async def update() -> None:
        for _ in range(3):
            await asyncio.sleep(3)
            running.append(make_gateway(port, HEADWAY_GATEWAY_REUSE_PORT="1"))
            running[-1].start()
            await asyncio.to_thread(running[-1].wait, START_TIMEOUT_S)
            old = running.pop(0)
            await asyncio.to_thread(old.stop)
            replaced.append(old)

    await read_by_many(topics, batch_id, EVENTS, lambda: [f"http://127.0.0.1:{port}"], update)
    assert all("action='drain'" in old.log_text() for old in replaced)


async def test_leaders_killed_again_and_again_cost_no_client_an_event(
    kafka_cluster: KafkaCluster, gateways: list[Program], topics: Topics, batch_id: int
) -> None:
    async def kill() -> None:
        topic = topics.names.of_batch(batch_id)
        for _ in range(3):
            await asyncio.sleep(1)
            leader = await asyncio.to_thread(topics.leader, topic)
            broker = kafka_cluster.brokers[leader - 1]
            broker.kill()
            await eventually(lambda: topics.leader(topic), lambda now: now not in {-1, leader}, within_s=60)  # noqa: B023
            broker.start()
            await asyncio.to_thread(broker.wait, START_TIMEOUT_S)
            await eventually(lambda: topics.in_sync(topic), lambda replicas: replicas == 3, within_s=60)

    await read_by_many(topics, batch_id, EVENTS, lambda: [gateway.url for gateway in gateways], kill)
