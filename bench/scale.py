"""What does an event cost each server, and does that foretell a run of ten million events in two thousand batches?

Processor time and bytes are read from the system, not wall time: that says how many machines a load needs. Three small
runs give the costs of the model (`bench/capacity`): one batch; as many events in 500 batches at once; and 200 batches
that are reported evenly, so that each poll has few events of many batches. A *part* is what one poll has of one batch:
a position and counts to write. The large run is written in groups of batches, as pipelines begin and end, while the
projector works. What it took stands beside what the small runs foretell for its batches, events and parts.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from bench.backlog import make_known, new_batches, until_projected
from bench.capacity.costs import Work
from bench.events import write
from bench.figures import Bound, Figure
from bench.processor_time import spent_s
from bench.stack import BenchStack
from infra.local.service import Service

ONE: Final = (1, 500_000)  # batches, and files of each
MANY: Final = (500, 1_000)
LIVE: Final = (200, 200)
LIVE_A_SECOND: Final = 2_000  # events
WARM_UP: Final = (200, 100)  # not measured: Kafka's programs are slow when they are new
GROUPS: Final = 20
GROUP: Final = (100, 4_900)  # 5,001 events a batch
SERVERS: Final = ("projector", "PostgreSQL", "Kafka")
UNITS: Final = {"a new batch": ("ms", 1e3), "an event": ("µs", 1e6), "a part of a poll": ("µs", 1e6)}  # as in Work
FORETOLD: Final = Bound(ratio_at_least=0.75, ratio_below=1.33)
STORED: Final = """
    SELECT pg_database_size(current_database()) AS kept, (pg_current_wal_lsn() - '0/0')::bigint AS written
"""
PARTS: Final = """
    SELECT sum(parts)::bigint AS parts
    FROM (SELECT count(DISTINCT batchId) AS parts FROM batchExecutionLog GROUP BY xmin::text) AS poll
"""


class Run(NamedTuple):
    """What a run took."""

    batches: int
    events: int
    parts: int  # of polls
    seconds: float
    cpu_s: dict[str, float]  # by server
    stored: dict[str, int]  # bytes more than before, by where


def measure(stack: BenchStack) -> list[Figure]:
    """The costs of an event, and of the large run."""
    _run(stack, *WARM_UP)
    small = [_run(stack, *ONE), _run(stack, *MANY), _run(stack, *LIVE, a_second=LIVE_A_SECOND)]
    large = _run(stack, *GROUP, groups=GROUPS)
    return [*costs(small), *foretold(small, large)]


def solved(small: Sequence[Run]) -> dict[str, Work]:
    """What one of each costs every server, by the equations that the small runs are; below nothing is noise."""
    counts = [[run.batches, run.events, run.parts] for run in small]
    solution = {server: np.linalg.solve(counts, [run.cpu_s[server] for run in small]) for server in SERVERS}
    return {server: Work(*np.maximum(found, 0).tolist()) for server, found in solution.items()}


def costs(small: Sequence[Run]) -> list[Figure]:
    """What a batch, an event and a part of a poll cost."""
    works = solved(small)
    one = small[0]
    processor = [
        Figure.of_rounds(
            f"processor time of {server} for {of}",
            unit,
            [works[server][place] * factor],
            [sum(work[place] for work in works.values()) * factor],
            "all three servers",
        )
        for place, (of, (unit, factor)) in enumerate(UNITS.items())
        for server in SERVERS
    ]
    kept = Figure.of_rounds(
        "bytes that PostgreSQL keeps of an event",
        "bytes",
        [one.stored["PostgreSQL"] / one.events],
        [one.stored["Kafka"] / one.events],
        "what one broker keeps of it",
    )
    logged = Figure.of_rounds(
        "bytes of WAL that PostgreSQL writes for an event",
        "bytes",
        [one.stored["WAL"] / one.events],
        [one.stored["PostgreSQL"] / one.events],
        "what it keeps of it",
    )
    return [*processor, kept, logged]


def foretold(small: Sequence[Run], large: Run) -> list[Figure]:
    """What the large run took, beside what the small ones say of its batches, events and parts."""
    one, many = small[0], small[1]
    over = f"{large.events:,} events in {large.batches:,} batches"
    asked = {
        server: work.cores(large.batches, large.events, large.parts)  # of a second: that is, seconds of one core
        for server, work in solved(small).items()
    }
    processor = [
        Figure.of_rounds(
            f"processor time of {server}, {over}", "s", [large.cpu_s[server]], [asked[server]], "foretold", FORETOLD
        )
        for server in SERVERS
    ]
    used = sum(many.cpu_s.values()) / many.seconds  # cores; what is left is the writer's, and idle
    rate = Figure.of_rounds(
        f"written and projected meanwhile, {over}",
        "events/s",
        [large.events / large.seconds],
        [large.events / (sum(asked.values()) / used)],
        "foretold",
        FORETOLD,
    )
    stored = Figure.of_rounds(
        f"bytes that PostgreSQL keeps, {over}",
        "bytes",
        [large.stored["PostgreSQL"]],
        [one.stored["PostgreSQL"] / one.events * large.events],
        "foretold",
        FORETOLD,
    )
    return [*processor, rate, stored]


def _run(stack: BenchStack, batches: int, files: int, *, groups: int = 1, a_second: float | None = None) -> Run:
    with stack.apart() as apart, apart.projector() as projector:
        servers = {"projector": projector, "PostgreSQL": apart.postgres, "Kafka": apart.kafka}
        cpu_before, stored_before = _cpu(servers), asyncio.run(_stored(apart))
        begin, events = time.perf_counter(), 0
        for _ in range(groups):
            batch_ids = new_batches(batches)
            make_known(apart, projector, batch_ids)
            events += write(apart, batch_ids, files, a_second=a_second) * batches
        until_projected(apart, projector, events)
        seconds = time.perf_counter() - begin
        cpu_s = {server: after - cpu_before[server] for server, after in _cpu(servers).items()}
        stored = {where: after - stored_before[where] for where, after in asyncio.run(_stored(apart)).items()}
        parts = int(asyncio.run(apart.fetch_row(PARTS))["parts"])
    return Run(groups * batches, events, parts, seconds, cpu_s, stored)


def _cpu(servers: Mapping[str, Service]) -> dict[str, float]:
    """Processor time until now in seconds."""
    spent = {}
    for name, service in servers.items():
        process = service.process()
        assert process is not None
        spent[name] = spent_s(process)
    return spent


async def _stored(stack: BenchStack) -> dict[str, int]:
    """Bytes of this installation on the disk, and of all WAL that was ever written."""
    found = await stack.fetch_row(STORED)
    return {"PostgreSQL": found["kept"], "WAL": found["written"], "Kafka": sum(_segments(stack))}


def _segments(stack: BenchStack) -> Iterator[int]:
    for log in (stack.directory / "kafka").glob(f"**/{stack.names.prefix}*/*.log"):
        yield log.stat().st_size
