"""A batch's counts as plain JSON, and back: what a reader needs to count on without the events before.

A snapshot holds the current run of each stage and, for a run under way, how each of its files stands and which workers
are busy; a run that is over counts no more files and goes without. Folding the events from `offset` on into
`resume(snapshot(...))` gives the same current runs as folding all events. `fold.js` has the same `resume`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from headway_events.fold import BatchState, Outcome, StageState, percent, restore_workers

_COUNTS: Final = [
    (field.encode_name, field.name)
    for field in msgspec.structs.fields(StageState)
    if field.name not in {"outcomes", "workers", "in_flight"}
]


class _Worker(msgspec.Struct, rename="camel"):
    worker: str
    last_heard_at: datetime | None
    files_in_flight: list[str]


def snapshot(batch: BatchState, *, batch_id: int, offset: int) -> dict[str, Any]:
    """The data of the stream's `snapshot` message: the batch as it stands before the record at `offset`."""
    return {
        "batchId": batch_id,
        "offset": offset,
        "closed": batch.closed,
        "stages": [_of_run(stage, runs[-1]) for stage, runs in batch.stages.items()],
    }


def resume(data: Mapping[str, Any]) -> BatchState:
    """The batch that a snapshot describes, to fold the events from its `offset` on into.

    Raises:
        KeyError, msgspec.ValidationError: `data` is not what `snapshot` writes.
    """
    stages = {run["stage"]: [_to_run(run)] for run in data["stages"]}
    return BatchState(stages=stages, closed=data["closed"])


def _of_run(stage: str, state: StageState) -> dict[str, Any]:
    run: dict[str, Any] = {"stage": stage}
    run |= {wire_name: msgspec.to_builtins(getattr(state, name)) for wire_name, name in _COUNTS}
    run["percent"] = percent(state)
    if not state.status.is_final:
        run["outcomes"] = {
            str(wanted): [name for name, outcome in state.outcomes.items() if outcome == wanted] for wanted in Outcome
        }
        run["workers"] = [
            msgspec.to_builtins(_Worker(name, worker.last_heard_at, list(worker.files)))
            for name, worker in state.workers.items()
        ]
    return run


def _to_run(run: Mapping[str, Any]) -> StageState:
    standing = {name: outcome for outcome, names in run.get("outcomes", {}).items() for name in names}
    state = msgspec.convert({**run, "outcomes": standing, "workers": {}}, StageState)
    workers = msgspec.convert(run.get("workers", []), list[_Worker])
    restore_workers(state, [(one.worker, one.last_heard_at, one.files_in_flight) for one in workers])
    return state
