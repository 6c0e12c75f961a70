"""A watched batch as one JSON document, for programs: what `--json` writes of it. Pure."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import msgspec
from headway_events import percent

from headway_client.watched import Watched


def report(watched: Watched, now: datetime) -> dict[str, Any]:
    """The batch and the current run of each stage, under the names that the HTTP API has for them."""
    return {
        "batchId": watched.batch_id,
        "name": None if watched.info is None else watched.info.name,
        "status": str(watched.status(now)),
        "closed": watched.batch.closed,
        "connection": str(watched.standing),
        "connectionSince": msgspec.to_builtins(watched.since),
        "errors": watched.errors,
        "problem": None if watched.info is None else watched.info.problem,
        "stages": [_stage(watched, stage, now) for stage in watched.batch.stages],
    }


def _stage(watched: Watched, name: str, now: datetime) -> dict[str, Any]:
    stage = watched.batch.current(name)
    estimate = watched.estimate(name, now)
    soonest, latest = estimate.between_ms or (None, None)
    return {
        "stage": name,
        "run": stage.run,
        "status": str(watched.status_of(stage, now)),
        "total": stage.total,
        "processed": stage.processed,
        "errors": stage.errors,
        "attempts": stage.attempts,
        "late": stage.late,
        "percent": percent(stage),
        "startedAt": msgspec.to_builtins(stage.started_at),
        "updatedAt": msgspec.to_builtins(stage.updated_at),
        "endedAt": msgspec.to_builtins(stage.ended_at),
        "filesPerSecond": estimate.rate,
        "leftMs": estimate.left_ms,
        "leftMsAtLeast": soonest,
        "leftMsAtMost": None if latest is None or math.isinf(latest) else latest,
    }
