"""Compares a batch's tables with a straight fold of its raw log: another way to the counts than that of the polls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from headway_events import BatchState, decode, fold_batch

from headway_projector.store import HeldBatch, Store


async def verify(store: Store, batch_id: int) -> list[str]:
    """What differs, in words; empty when the tables are what the log says.

    Raises:
        NoSuchBatch: the batch is not in the tables.
    """
    async with store.hold(batch_id, lock=False) as held:
        batch = await _fold(held)
        found_runs, found_outcomes, found_workers = await held.runs(), await held.outcomes(), await held.workers()
        known = await held.known_offsets()
    runs = {(stage, run.run): run for stage, runs in batch.stages.items() for run in runs}
    outcomes = {(*key, name): str(outcome) for key, run in runs.items() for name, outcome in run.outcomes.items()}
    counts = {key: _counts(run) for key, run in runs.items()}
    workers = {
        (*key, name): (worker.last_heard_at, list(worker.files))
        for key, run in runs.items()
        for name, worker in run.workers.items()
    }
    differences = [
        *_differences("run", {key: _counts(run) for key, run in found_runs.items()}, counts),
        *_differences("file", found_outcomes, outcomes),
        *_differences("worker", found_workers, workers),
    ]
    if known != held.next_offset:
        differences.append(f"offsets: {held.next_offset} projected, but {known} in the log, dead letters and gaps")
    if held.closed != batch.closed:
        differences.append(f"closed: the table says {held.closed}, the log {batch.closed}")
    return differences


async def _fold(held: HeldBatch) -> BatchState:
    batch = BatchState()
    async for records in held.log():
        for record in records:
            batch = fold_batch(batch, decode(record.value, batch_id=held.batch_id, recorded_ms=record.timestamp_ms))
    return batch


def _counts(run: msgspec.Struct) -> dict[str, Any]:
    apart = {"outcomes", "workers", "in_flight"}
    return {name: value for name, value in msgspec.structs.asdict(run).items() if name not in apart}


def _differences(kind: str, found: Mapping[Any, Any], expected: Mapping[Any, Any]) -> Iterator[str]:
    for key in sorted(found.keys() | expected.keys()):
        if found.get(key) != expected.get(key):
            yield f"{kind} {key}: the table says {found.get(key)}, the log {expected.get(key)}"
