"""Does the projector's memory stay flat over millions of events and thousands of batches?

Batches come in groups, as pipelines begin and end: each group is announced and written while the projector works on the
ones before. Its resident memory (RSS, with that of its children) is read from /proc every second. Beside what it takes
after the first tenth of the events stands what it takes before the first; beside its peak over the whole run stands
what it takes after the first tenth.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import NamedTuple

import asyncpg
import psutil

from bench.backlog import PROJECTED, make_known, new_batches, until_projected
from bench.events import write
from bench.figures import Bound, Figure
from bench.stack import BenchStack

GROUPS = 20
BATCHES_IN_GROUP = 100
FILES = 2_449  # 2,500 events in each batch
SAMPLE_EVERY_S = 1.0
MOST_MB = 300


class Sample(NamedTuple):
    """The projector at one moment."""

    events: int  # projected so far
    megabytes: float


def measure(stack: BenchStack) -> list[Figure]:
    """Megabytes (of 1,000,000 bytes) after a tenth of the events, and at the peak."""
    with stack.projector() as projector:
        process = projector.process()
        assert process is not None
        with _Sampling(stack.database_url, process) as sampling:
            events = 0
            for _ in range(GROUPS):
                batch_ids = new_batches(BATCHES_IN_GROUP)
                make_known(stack, projector, batch_ids)
                events += write(stack, batch_ids, FILES) * BATCHES_IN_GROUP
            until_projected(stack, projector, events)
    return figures(sampling.samples, batches=GROUPS * BATCHES_IN_GROUP)


def figures(samples: Sequence[Sample], *, batches: int) -> list[Figure]:
    """What the samples of one run say."""
    events = samples[-1].events
    idle = next(sample.megabytes for sample in samples)
    after_a_tenth = next(sample.megabytes for sample in samples if sample.events >= events / 10)
    peak = max(sample.megabytes for sample in samples)
    over = f"over {events:,} events in {batches:,} batches"
    asked = Bound(below=MOST_MB)
    return [
        Figure.of_rounds(
            f"the projector's memory after a tenth {over}",
            "MB",
            [after_a_tenth],
            [idle],
            "before the first event",
            asked,
        ),
        Figure.of_rounds(
            f"the projector's memory at its peak {over}", "MB", [peak], [after_a_tenth], "after a tenth", asked
        ),
    ]


class _Sampling:
    """Samples from its entry to its exit, in a thread of its own."""

    def __init__(self, database_url: str, process: psutil.Process) -> None:
        self.samples: list[Sample] = []
        self._database_url = database_url
        self._process = process
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> _Sampling:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    async def _run(self) -> None:
        connection = await asyncpg.connect(self._database_url)
        try:
            while True:
                last = self._stopping.is_set()  # asked before: the last sample has all that was waited for
                events = await connection.fetchval(PROJECTED)
                self.samples.append(Sample(events, _megabytes(self._process)))
                if last:
                    return
                await asyncio.to_thread(self._stopping.wait, SAMPLE_EVERY_S)
        finally:
            await connection.close()


def _megabytes(process: psutil.Process) -> float:
    family = [process, *process.children(recursive=True)]
    return sum(member.memory_info().rss for member in family) / 1e6
