"""Reads the Parquet archive in tests, and says what should be in it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq

from support.tables import LogRow


def parts(directory: Path, batch_id: int) -> list[Path]:
    """The files of a batch, in the order of their offsets."""
    return sorted(directory.glob(f"date=*/batch={batch_id}/part-*.parquet"))


def archived(directory: Path, batch_id: int) -> list[dict[str, Any]]:
    """All rows of a batch, in the order of files and rows."""
    return [row for path in parts(directory, batch_id) for row in pq.read_table(path, partitioning=None).to_pylist()]


def as_archived(batch_id: int, log: Iterable[LogRow]) -> list[dict[str, Any]]:
    """What should be in the archive of a batch with this log."""
    rows = []
    for row in log:
        event = msgspec.json.decode(row.value, type=dict[str, msgspec.Raw])
        response = bytes(event["response"]).decode() if "response" in event else None
        worker = msgspec.json.decode(event["worker"]) if "worker" in event else None
        rows.append(
            {
                "batchId": batch_id, "offset": row.topicoffset, "eventType": row.eventtype, "stage": row.stage,
                "run": row.run, "late": row.late, "timestamp": row.timestamp, "fileName": row.filename,
                "durationMs": row.durationms, "gpuIp": row.gpuip, "totalFiles": row.totalfiles,
                "processedFiles": row.processedfiles, "failedFiles": row.failedfiles, "worker": worker,
                "response": response, "value": row.value,
            }
        )  # fmt: skip
    return rows
