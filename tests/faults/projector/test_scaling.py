"""Projectors come and go under load: the batches spread evenly over those there are, and every event counts once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from infra.local.kafka import KafkaBroker
from support.batches import batch_events
from support.eventually import eventually
from support.load import written_meanwhile
from support.programs import Program
from support.tables import Tables
from support.topics import Topics

KNOWN = 2000
LIVE = 200
NEW = 20
PROJECTORS = 4
FILES = 20  # of each live batch in each round of writing
UNEVEN = 0.2  # of an even share
PAUSE_S = 0.2
CATCH_UP_S = 60.0


def owned(projectors: Sequence[Program]) -> list[int]:
    """How many batches each of these projectors owns."""
    return [round(projector.metric("headway_projector_owned_batches")) for projector in projectors]


def is_even(shares: Sequence[int]) -> bool:
    """Whether these shares are all the batches, each at most a fifth from an even one."""
    even = KNOWN / len(shares)
    return sum(shares) == KNOWN and all(abs(share - even) <= UNEVEN * even for share in shares)


@pytest.mark.timeout(300)
async def test_two_thousand_batches_spread_evenly_as_projectors_come_and_go_and_are_counted_right(
    own_kafka: KafkaBroker, make_projector: Callable[..., Program], topics: Topics, tables: Tables
) -> None:
    known = range(1, KNOWN + 1)  # where a batch belongs follows from its number: the same in every run of this test
    live = list(known[:: KNOWN // LIVE])
    projectors = [make_projector()]
    projectors[0].run()  # it makes the registry
    topics.create_all(known)
    topics.announce_all(known)
    async with written_meanwhile(topics, live, files=FILES, pause_s=PAUSE_S):
        while len(projectors) < PROJECTORS:
            await eventually(lambda: owned(projectors), is_even, within_s=CATCH_UP_S)
            projectors.append(make_projector())
            projectors[-1].run()
        while len(projectors) > 1:
            await eventually(lambda: owned(projectors), is_even, within_s=CATCH_UP_S)
            projectors.pop(0).stop()
        await eventually(lambda: owned(projectors), is_even, within_s=CATCH_UP_S)
    assert await tables.differences(topics, live, within_s=CATCH_UP_S) == []


async def test_a_new_batch_moves_no_other_to_another_projector(
    make_projector: Callable[..., Program], topics: Topics, tables: Tables
) -> None:
    projectors = [make_projector() for _ in range(2)]
    for projector in projectors:
        projector.run()
    old, new = range(1, 101), range(101, 101 + NEW)
    topics.create_all(old)
    topics.announce_all(old)
    await eventually(lambda: owned(projectors), lambda shares: sum(shares) == len(old))

    def rebalances() -> list[float]:
        return [projector.metric("headway_projector_rebalances_total") for projector in projectors]

    before, shares = rebalances(), owned(projectors)
    async with written_meanwhile(topics, old, files=FILES, pause_s=PAUSE_S):
        for one in new:
            topics.create(one)
            topics.announce(one)
            topics.write_events(batch_events(one, 3))
            await tables.wait_for(one, 6)
    await eventually(lambda: owned(projectors), lambda now: sum(now) == len(old) + len(new))
    assert rebalances() == before
    assert all(now >= then for now, then in zip(owned(projectors), shares, strict=True))
