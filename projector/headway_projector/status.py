"""`headway-projector status`: which projectors there are, and how far each batch is behind its topic, as text."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from headway_projector.alerts import report
from headway_projector.alerts.outbox import Outbox
from headway_projector.lag import Standing
from headway_projector.ownership import owned
from headway_projector.settings import Settings
from headway_projector.store import BatchStanding, Store
from headway_projector.topics import GroupMember, Topics

MOST_BATCHES: Final = 20  # shown unless all are asked for: a screen's worth
HEADINGS: Final = ("BATCH", "NAME", "STATE", "PROJECTED", "END", "LAG", "DEAD LETTERS", "MISSING", "LAST EVENT")
LEFT: Final = frozenset({"NAME", "STATE", "LAST EVENT"})  # aligned so; the others hold numbers


class Line(NamedTuple):
    """A batch and its topic."""

    batch: BatchStanding
    end: int | None  # of the topic; None without one

    @property
    def lag(self) -> int:
        """Records that are still to be projected; none of a batch that waits for people."""
        if self.end is None or self.batch.problem is not None:
            return 0
        return Standing(self.batch.next_offset, self.end).lag


async def status(store: Store, settings: Settings, *, every_batch: bool) -> str:
    """What to print.

    Raises:
        KafkaException, OSError, asyncpg.PostgresError: Kafka or PostgreSQL does not answer.
    """
    batches = await store.batch_standings()
    alerts = await report.summary(Outbox(store))
    topics = Topics(settings.connection, settings.names)
    existing = await asyncio.to_thread(topics.by_batch)
    partitions = await asyncio.to_thread(topics.registry_partitions)
    ends = await asyncio.to_thread(topics.ends, existing.values())
    members = await asyncio.to_thread(topics.group_members, settings.app_id)
    lines = [Line(batch, ends.get(existing.get(batch.batch_id, ""))) for batch in batches]
    lines.sort(key=lambda line: line.lag, reverse=True)  # the others stay as they come: the newest first
    shown = lines if every_batch else lines[:MOST_BATCHES]
    return "\n".join(
        [
            *_projectors(members, [batch.batch_id for batch in batches], partitions),
            "",
            *_table([HEADINGS, *map(_cells, shown)]),
            *([f"... and {len(lines) - len(shown)} more (--all)"] if len(shown) < len(lines) else []),
            *(f"batch {batch.batch_id}: {batch.problem}" for batch in batches if batch.problem),
            "",
            f"{_plural(len(lines), 'batch', 'batches')}, {sum(line.lag > 0 for line in lines)} behind, "
            f"by {sum(line.lag for line in lines):,} records",
            *alerts,
        ]
    )


def _projectors(members: Sequence[GroupMember], batch_ids: Sequence[int], partitions: int) -> Iterable[str]:
    yield _plural(len(members), "projector", "projectors") if members else "no projector runs"
    for member in members:
        batches = owned(batch_ids, assigned=member.partitions, partitions=partitions)
        share = f"{_plural(len(member.partitions), 'partition', 'partitions')} of {partitions}"
        yield f"  {member.host}  {member.member_id}: {share}, {_plural(len(batches), 'batch', 'batches')}"


def _cells(line: Line) -> tuple[str, ...]:
    batch = line.batch
    state = "problem" if batch.problem else "closed" if batch.closed else "open"
    return (
        str(batch.batch_id), batch.name or "", state if line.end is not None else f"{state}, no topic",
        f"{batch.next_offset:,}", "" if line.end is None else f"{line.end:,}", f"{line.lag:,}",
        f"{batch.dead_letters:,}", f"{batch.missing:,}", _when(batch.last_event_at),
    )  # fmt: skip


def _table(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.ljust(width) if heading in LEFT else cell.rjust(width)
            for heading, cell, width in zip(HEADINGS, row, widths, strict=True)
        ]
        yield "  ".join(cells).rstrip()


def _when(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}Z"


def _plural(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
