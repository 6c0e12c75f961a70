"""What the tables say of a batch, and what a straight fold of its topic says that they should."""

from __future__ import annotations

from typing import Any

import asyncpg
from headway_events import BadEvent, BatchComplete, BatchState, decode, fold_batch

from support.eventually import eventually
from support.topics import Record

COUNTS = ("run", "started", "total", "processed", "errors", "attempts", "late", "status")


class Tables:
    """The views of the projection, for one test."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection

    async def next_offset(self, batch_id: int) -> int:
        """The batch's checkpoint; -1 if the batch is not known."""
        try:
            found = await self.connection.fetchval("SELECT nextOffset FROM batchOverview WHERE batchId = $1", batch_id)
        except asyncpg.UndefinedTableError:
            return -1
        return -1 if found is None else int(found)

    async def wait_for(self, batch_id: int, offset: int, within_s: float = 60) -> None:
        """Wait until the batch is projected up to an offset."""
        await eventually(lambda: self.next_offset(batch_id), lambda found: found >= offset, within_s=within_s)

    async def overview(self, batch_id: int) -> dict[str, Any]:
        """The batch's row of batchOverview; empty if the batch is not known."""
        try:
            found = await self.connection.fetchrow("SELECT * FROM batchOverview WHERE batchId = $1", batch_id)
        except asyncpg.UndefinedTableError:
            return {}
        return dict(found or {})

    async def of_batch(self, batch_id: int) -> dict[str, Any]:
        """Everything the views hold of a batch, in the form of `expected`."""
        runs = await self.connection.fetch("SELECT * FROM stageRun WHERE batchId = $1 ORDER BY stage, run", batch_id)
        outcomes = await self.connection.fetch(
            "SELECT stage, run, fileName, outcome FROM fileOutcomeView WHERE batchId = $1", batch_id
        )
        log = await self.connection.fetch(
            "SELECT topicOffset, value, late FROM eventLog WHERE batchId = $1 ORDER BY id", batch_id
        )
        letters = await self.connection.fetch(
            "SELECT topicOffset, error FROM deadLetterView WHERE batchId = $1 ORDER BY topicOffset", batch_id
        )
        overview = await self.connection.fetchrow("SELECT * FROM batchOverview WHERE batchId = $1", batch_id)
        return {
            "runs": {(row["stage"], row["run"]): {name: row[name] for name in COUNTS} for row in runs},
            "outcomes": {(row["stage"], row["run"], row["filename"]): row["outcome"] for row in outcomes},
            "log": [(row["topicoffset"], row["value"], row["late"]) for row in log],
            "letters": [(row["topicoffset"], row["error"]) for row in letters],
            "closed": overview is not None and overview["closed"],
            "next_offset": overview["nextoffset"] if overview is not None else None,
        }


def expected(batch_id: int, records: list[Record]) -> dict[str, Any]:
    """What the tables should hold of a batch whose topic has these records."""
    batch = BatchState()
    log: list[tuple[int, str, bool]] = []
    letters: list[tuple[int, str]] = []
    for record in records:
        try:
            event = decode(record.value, batch_id=batch_id, recorded_ms=record.timestamp_ms)
        except BadEvent as error:
            letters.append((record.offset, type(error).__name__))
            continue
        stage = None if isinstance(event, BatchComplete) else event.stage
        late_before = 0 if stage is None else batch.current(stage).late
        run_before = 0 if stage is None else batch.current(stage).run
        batch = fold_batch(batch, event)
        late = stage is not None and batch.current(stage).run == run_before and batch.current(stage).late != late_before
        log.append((record.offset, (record.value or b"").decode(), late))
    return {
        "runs": {
            (stage, run.run): {name: getattr(run, name) for name in COUNTS}
            for stage, runs in batch.stages.items()
            for run in runs
        },
        "outcomes": {
            (stage, run.run, name): outcome
            for stage, runs in batch.stages.items()
            for run in runs
            for name, outcome in run.outcomes.items()
        },
        "log": log,
        "letters": letters,
        "closed": batch.closed,
        "next_offset": records[-1].offset + 1,
    }
