"""A load as a bad day makes it: many batches of mixed size, written side by side in the background.

Files fail and are tried again, are reported twice and too late; stages state checkpoints, crash and run again.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count, cycle, islice

from headway_events import (
    BatchComplete,
    Event,
    FileComplete,
    FileError,
    StageComplete,
    StageProgress,
    StageStart,
    WorkerHeartbeat,
)

from support.batches import ERROR, SUCCESS, batch_events
from support.topics import Topics

LARGEST = 40  # times the smallest batch
MOST_AT_ONCE = 300  # events of a batch, written before another's
PAUSE_S = 0.01  # between two such writes, so that what is allowed takes a while
CHECKPOINT_EVERY = 20  # files
NAMES = ("audio{:06d}.wav", "録音 {}.wav", "a\tb\\{}")


class Load:
    """Batches and the events that they get; a test says how much of it may be written."""

    def __init__(self, topics: Topics, first_batch: int, *, batches: int, events: int) -> None:
        """Make up the histories; the same `first_batch` gives the same ones."""
        self.batch_ids = [first_batch + number for number in range(batches)]
        self._topics = topics
        self._chance = random.Random(first_batch)
        self._pending = {
            batch_id: list(islice(history(batch_id, size, self._chance), size))
            for batch_id, size in zip(self.batch_ids, _sizes(batches, events, self._chance), strict=True)
        }
        self.events = events
        self.written = 0
        self._allowed = 0

    def allow(self, share: float) -> None:
        """Let this share of the load be written, of 1; what was allowed stays so."""
        self._allowed = max(self._allowed, round(share * self.events))

    async def written_so_far_as_allowed(self) -> int:
        """Wait until all that is allowed is written; how many events that is."""
        while self.written < self._allowed:  # noqa: ASYNC110 - the writer has nothing else to tell
            await asyncio.sleep(PAUSE_S)
        return self.written

    @contextlib.asynccontextmanager
    async def in_background(self) -> AsyncIterator[None]:
        """Make and announce the batches and write as much as is allowed, until the body ends; then all that is left."""
        await asyncio.to_thread(self._topics.create_all, self.batch_ids)
        await asyncio.to_thread(self._topics.announce_all, self.batch_ids)
        async with asyncio.TaskGroup() as group:
            writing = group.create_task(self._write())
            yield
            self.allow(1)
            await writing

    async def _write(self) -> None:
        while self._pending:
            if self.written >= self._allowed:
                await asyncio.sleep(PAUSE_S)
                continue
            left = {batch_id: len(events) for batch_id, events in self._pending.items()}
            (batch_id,) = self._chance.choices(list(left), list(left.values()))  # so that all last about as long
            most = min(self._chance.randint(1, MOST_AT_ONCE), self._allowed - self.written)
            some, rest = self._pending[batch_id][:most], self._pending[batch_id][most:]
            await asyncio.to_thread(self._topics.write_events, some)
            self.written += len(some)
            if rest:
                self._pending[batch_id] = rest
            else:
                del self._pending[batch_id]
            await asyncio.sleep(PAUSE_S)


@contextlib.asynccontextmanager
async def written_meanwhile(
    topics: Topics, batch_ids: Sequence[int], *, files: int, at_once: int = 10, pause_s: float = 0.1
) -> AsyncIterator[None]:
    """Batches that are written again and again, a few in turn, until the body ends.

    Each time is a run of so many files, of which some fail and half are reported twice.
    """
    ended = False

    async def write() -> None:
        turns = cycle(batch_ids)
        while not ended:
            for batch_id in islice(turns, min(at_once, len(batch_ids))):
                events = list(batch_events(batch_id, files, failed=files // 20))
                await asyncio.to_thread(topics.write_events, [*events[: files // 2], *events])
            await asyncio.sleep(pause_s)

    writing = asyncio.create_task(write())
    try:
        yield
    finally:
        ended = True
        await writing


def _sizes(batches: int, events: int, chance: random.Random) -> list[int]:
    """The events of each batch, none without any, which make so many together."""
    weights = [LARGEST ** chance.random() for _ in range(batches)]
    sizes = [max(1, int(events * weight / sum(weights))) for weight in weights]
    sizes[0] += events - sum(sizes)
    return sizes


def history(batch_id: int, events: int, chance: random.Random) -> Iterator[Event]:
    """A batch of two stages without end: run after run, sized so that `events` events hold two runs of each."""
    clock = (datetime(2026, 11, 24, 10, tzinfo=UTC) + timedelta(milliseconds=7 * tick) for tick in count())
    files = max(1, events // 6)
    while True:
        for stage in ("denoise", "transcribe"):
            yield from _run(batch_id, stage, files, clock, chance)
        yield BatchComplete(batch_id=batch_id, timestamp=next(clock))


def _run(batch_id: int, stage: str, files: int, clock: Iterator[datetime], chance: random.Random) -> Iterator[Event]:
    def report(name: str, *, succeeded: bool) -> Event:
        return (FileComplete if succeeded else FileError)(
            batch_id=batch_id, timestamp=next(clock), stage=stage, file_name=name,
            response=SUCCESS if succeeded else ERROR, gpu_ip=f"10.0.0.{len(name)}", duration_ms=chance.random() * 100,
        )  # fmt: skip

    yield StageStart(batch_id=batch_id, timestamp=next(clock), stage=stage, total_files=files)
    failed: list[str] = []
    for number in range(1, files + 1):
        event = report(chance.choice(NAMES).format(number), succeeded=chance.random() > 0.1)
        yield event
        if isinstance(event, FileError):
            failed.append(event.file_name)
        if chance.random() < 0.05:
            yield event  # sent twice
        if number % CHECKPOINT_EVERY == 0:
            yield StageProgress(
                batch_id=batch_id, timestamp=next(clock), stage=stage, processed_files=number - len(failed),
                failed_files=len(failed), total_files=files,
            )  # fmt: skip
            in_flight = [chance.choice(NAMES).format(number + ahead) for ahead in range(chance.randint(0, 3))]
            yield WorkerHeartbeat(
                batch_id=batch_id, timestamp=next(clock), stage=stage, worker=f"worker-{chance.randint(1, 3)}",
                files_in_flight=in_flight,
            )  # fmt: skip
    retried = [name for name in failed if chance.random() < 0.7]
    for name in retried:
        yield report(name, succeeded=chance.random() < 0.7)
    if chance.random() < 0.3:
        return  # crashed; the next run begins anew
    yield StageComplete(batch_id=batch_id, timestamp=next(clock), stage=stage, processed_files=files - len(failed))
    for name in retried[:3]:
        yield report(name, succeeded=True)  # too late
