"""The projector's job as a plain Faust agent: one event at a time, each in a transaction of its own.

`faust -A bench.peers.plain_faust_app worker`, with the topic, the batch and PostgreSQL in its environment. As Faust's
documentation has agents: a typed topic, `stream.events()` for the offset, no concurrency, since order matters. asyncpg
keeps the statements prepared.

Source: https://faust-streaming.github.io/faust/userguide/agents.html
"""

from __future__ import annotations

import os
from typing import Any

import asyncpg
import faust
from headway_events import BatchComplete, Outcome, StageState, decode, fold
from headway_events.events import FILE_EVENTS, StageEvent

BATCH_ID = int(os.environ["PLAIN_FAUST_BATCH"])

INSERT_LOG = """
    INSERT INTO batchExecutionLog (batchId, stage, eventType, fileName, response, totalFiles, processedFiles,
                                   failedFiles, gpuIp, durationMs, timestamp, topicOffset, run, late, value, logWeek)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"""
UPSERT_OUTCOME = """
    INSERT INTO fileOutcome (logWeek, batchId, stage, run, fileName, outcome, topicOffset, durationMs)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (batchId, stage, run, fileName, logWeek) DO UPDATE
    SET outcome = EXCLUDED.outcome, topicOffset = EXCLUDED.topicOffset, durationMs = EXCLUDED.durationMs"""
UPSERT_RUN = """
    INSERT INTO stageProgress (batchId, stage, run, firstOffset, started, total, processed, errors, attempts, late,
                               status, startedAt, updatedAt, endedAt)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
    ON CONFLICT (batchId, stage, run) DO UPDATE
    SET started = EXCLUDED.started, total = EXCLUDED.total, processed = EXCLUDED.processed, errors = EXCLUDED.errors,
        attempts = EXCLUDED.attempts, late = EXCLUDED.late, status = EXCLUDED.status, updatedAt = EXCLUDED.updatedAt,
        endedAt = EXCLUDED.endedAt"""
ADVANCE = "UPDATE batch SET nextOffset = $2, closed = $3, lastEventAt = $4 WHERE batchId = $1"

app: Any = faust.App(
    "plain-faust",
    broker=f"kafka://{os.environ['HEADWAY_KAFKA_BOOTSTRAP']}",
    consumer_auto_offset_reset="earliest",
    topic_disable_leader=True,
    topic_allow_declare=False,
    web_enabled=False,
)
batch_topic = app.topic(f"{os.environ['HEADWAY_TOPIC_PREFIX']}{BATCH_ID}", key_type=bytes, value_type=bytes,
                        value_serializer="raw")  # fmt: skip


@app.agent(batch_topic)  # type: ignore[untyped-decorator]
async def project(stream: Any) -> None:
    """Fold each event and write what it says."""
    connection = await asyncpg.connect(os.environ["HEADWAY_DATABASE_URL"])
    week = await connection.fetchval("SELECT logWeek FROM batch WHERE batchId = $1", BATCH_ID)
    stages: dict[str, StageState] = {}
    async for record in stream.events():
        offset, value = record.message.offset, record.value
        event = decode(value, batch_id=BATCH_ID, recorded_ms=round(record.message.timestamp * 1000))
        async with connection.transaction():
            if isinstance(event, BatchComplete):
                await _log(connection, week, offset, event, value, run=None)
            else:
                before = stages.get(event.stage, StageState())
                known = before.outcomes.get(getattr(event, "file_name", ""))
                state = stages[event.stage] = fold(before, event)
                await _log(connection, week, offset, event, value, run=state.run)
                await _count(connection, week, offset, event, state, known)
            await connection.execute(ADVANCE, BATCH_ID, offset + 1, isinstance(event, BatchComplete), event.timestamp)


async def _log(connection: Any, week: Any, offset: int, event: Any, value: bytes, *, run: int | None) -> None:
    response = getattr(event, "response", None)
    await connection.execute(
        INSERT_LOG, BATCH_ID, getattr(event, "stage", None), event.event_type, getattr(event, "file_name", None),
        None if response is None else bytes(response).decode(), getattr(event, "total_files", None),
        getattr(event, "processed_files", None), getattr(event, "failed_files", None), getattr(event, "gpu_ip", None),
        getattr(event, "duration_ms", None), event.timestamp, offset, run, False, value.decode(), week,
    )  # fmt: skip


async def _count(
    connection: Any, week: Any, offset: int, event: StageEvent, state: StageState, known: Outcome | None
) -> None:
    if isinstance(event, FILE_EVENTS) and (outcome := state.outcomes[event.file_name]) is not known:
        await connection.execute(
            UPSERT_OUTCOME, week, BATCH_ID, event.stage, state.run, event.file_name, outcome, offset, event.duration_ms
        )
    await connection.execute(
        UPSERT_RUN, BATCH_ID, event.stage, state.run, offset, state.started, state.total, state.processed,
        state.errors, state.attempts, state.late, state.status, state.started_at, state.updated_at, state.ended_at,
    )  # fmt: skip
