"""The fold: what a sequence of events says about each stage of a batch. The only place that counts.

`fold` takes one stage's state and one event of it and gives the state after; `fold_batch` does the same for a whole
batch. No clock, no I/O: the result is a function of the events in the order of their offsets. The dashboard's
`fold.js` is the same function; both pass the vectors in `schemas/vectors/`.

The rules:
    1. `processed` counts distinct files that succeeded, `errors` distinct files whose last outcome is an error.
       A success is final within a run: a file that failed and then succeeds moves from errors to processed, and an
       error reported after the success (an older duplicate, a second worker) moves nothing.
    2. `attempts` counts every report of a file, duplicates too.
    3. `stage_progress` is a checkpoint: processed and errors become at least what it says. File events after it add
       on top.
    4. `stage_complete` states the final counts, which replace those counted; a count that it leaves out stays as it is.
       A later one replaces them again.
    5. After `stage_complete` a file event is late: it adds to `late` and to nothing else. Checkpoints and heartbeats
       then change nothing.
    6. A `stage_start` begins a new run, with counts from zero; but where events of the run came before its own
       `stage_start` (and it is not complete), the run goes on.
    7. A `totalFiles` that is present states the total; the last statement holds.
    8. `batch_complete` closes the batch; a `stage_start` after it opens it again.
    9. A `worker_heartbeat` names the files that its worker has in flight. A file is in flight at one worker, the last
       that named it, until it is reported or the run is over; one that has succeeded is not. A worker is busy while it
       has files in flight. A heartbeat older than the last one of a busy worker changes nothing of this. A run follows
       MAX_IN_FLIGHT files; those past it are counted each time that they are named.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, MutableMapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec

from headway_events.events import (
    FILE_EVENTS,
    BatchComplete,
    Event,
    FileComplete,
    FileEvent,
    StageComplete,
    StageEvent,
    StageProgress,
    StageStart,
    WorkerHeartbeat,
)

MAX_IN_FLIGHT: Final = 10_000  # files of a run, a few MB in each reader; ten for each of a thousand workers


class Status(StrEnum):
    """What a stage or a batch is doing. STALLED is never stored: it depends on the time of asking (`status_at`)."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETE = "complete"
    COMPLETE_WITH_ERRORS = "complete_with_errors"
    STALLED = "stalled"

    @property
    def is_final(self) -> bool:
        """Whether the run is over."""
        return self is Status.COMPLETE or self is Status.COMPLETE_WITH_ERRORS


class Outcome(StrEnum):
    """How a file stands in its run."""

    SUCCESS = "success"
    ERROR = "error"


# Members of an enumeration are slow to look up, and the projector folds 100,000 events a second.
_PROCESSING: Final = Status.PROCESSING
_SUCCESS: Final = Outcome.SUCCESS
_ERROR: Final = Outcome.ERROR


class BusyWorker(msgspec.Struct, rename="camel"):
    """A worker that has files in flight."""

    last_heard_at: datetime | None
    files: dict[str, None]  # in the order in which it named them, without those reported since


class StageState(msgspec.Struct, rename="camel", kw_only=True):
    """One run of one stage, after the events so far.

    `outcomes` may be any mapping that knows the files of the events still to come: the projector gives one that holds
    just those. A state that is kept with its outcomes and its workers resumes exactly.
    """

    run: int = 0  # 1 is the first; 0 before any event
    started: bool = False  # a stage_start has been seen in this run
    total: int | None = None  # files; None is unknown
    processed: int = 0  # files
    errors: int = 0  # files
    attempts: int = 0  # reports of files
    late: int = 0  # reports of files after stage_complete
    status: Status = Status.PENDING
    started_at: datetime | None = None
    updated_at: datetime | None = None  # timestamp of the last event, heartbeats included
    ended_at: datetime | None = None
    files_left_out: int = 0  # names in heartbeats that were not followed, as MAX_IN_FLIGHT were already
    outcomes: MutableMapping[str, Outcome] = {}
    workers: dict[str, BusyWorker] = {}  # the busy ones, by name
    in_flight: dict[str, str] = {}  # the name of the worker that has the file


class BatchState(msgspec.Struct, rename="camel", kw_only=True):
    """Every run of every stage of one batch, in the order in which they began."""

    stages: dict[str, list[StageState]] = {}
    closed: bool = False

    def current(self, stage: str) -> StageState:
        """The last run of a stage; a pending one if nothing is known of it."""
        runs = self.stages.get(stage)
        return runs[-1] if runs else StageState()


def fold_batch(batch: BatchState, event: Event) -> BatchState:
    """The batch after one more event. Consumes `batch`: use only what is returned."""
    if isinstance(event, BatchComplete):
        batch.closed = True
        return batch
    if isinstance(event, StageStart):
        batch.closed = False
    runs = batch.stages.setdefault(event.stage, [])
    before = runs[-1] if runs else StageState()
    after = fold(before, event)
    if not runs or after.run != before.run:
        runs.append(after)
    return batch


def fold(state: StageState, event: StageEvent) -> StageState:
    """The stage's current run after one more event of it.

    Consumes `state`: use only what is returned. When its `run` differs from the one before, a new run has begun and
    the state given holds the old run's last counts.
    """
    if state.status is not _PROCESSING or (isinstance(event, StageStart) and state.started):
        state = _entered(state, event)
    if state.started_at is None:
        state.started_at = event.timestamp
    if state.status is _PROCESSING:
        state.updated_at = event.timestamp
    if isinstance(event, FILE_EVENTS):
        _apply_file(state, event)
    else:
        _apply_other(state, event)
    return state


def _entered(state: StageState, event: StageEvent) -> StageState:
    """The run that the event belongs to: the one there is, or a new one."""
    if isinstance(event, StageStart) and (state.started or state.status.is_final):
        _forget_workers(state)
        state = StageState(run=state.run + 1)
    if state.run == 0:
        state = StageState(run=1, outcomes=state.outcomes)
    if not state.status.is_final:
        state.status = _PROCESSING
    return state


def _apply_other(state: StageState, event: StageEvent) -> None:
    if isinstance(event, StageStart):
        state.started = True
        _state_total(state, event.total_files)
    elif isinstance(event, StageProgress):
        if not state.status.is_final:
            state.processed = max(state.processed, event.processed_files)
            state.errors = max(state.errors, event.failed_files or 0)
            _state_total(state, event.total_files)
    elif isinstance(event, StageComplete):
        _apply_complete(state, event)
    elif isinstance(event, WorkerHeartbeat) and not state.status.is_final:
        _apply_heartbeat(state, event)


def _apply_file(state: StageState, event: FileEvent) -> None:
    if state.status is not _PROCESSING:
        state.late += 1
        return
    state.attempts += 1
    outcomes, name = state.outcomes, event.file_name
    if state.in_flight:
        _take_out(state, name)
    known = outcomes.get(name)
    if known is _SUCCESS:
        return
    if isinstance(event, FileComplete):
        outcomes[name] = _SUCCESS
        state.processed += 1
        if known is _ERROR:
            state.errors -= 1
    elif known is None:
        outcomes[name] = _ERROR
        state.errors += 1


def _apply_complete(state: StageState, event: StageComplete) -> None:
    if event.processed_files is not None:
        state.processed = event.processed_files
    if event.failed_files is not None:
        state.errors = event.failed_files
    _state_total(state, event.total_files)
    state.status = Status.COMPLETE_WITH_ERRORS if state.errors else Status.COMPLETE
    state.updated_at = state.ended_at = event.timestamp
    _forget_workers(state)


def _apply_heartbeat(state: StageState, event: WorkerHeartbeat) -> None:
    name, heard_at = event.worker, event.timestamp
    known = state.workers.get(name)
    if known is not None:
        if known.last_heard_at is not None and heard_at is not None and heard_at < known.last_heard_at:
            return
        for file in list(known.files):
            _take_out(state, file)
    files: dict[str, None] = {}
    for file in dict.fromkeys(event.files_in_flight):
        if state.outcomes.get(file) is _SUCCESS:
            continue
        _take_out(state, file)
        if len(state.in_flight) < MAX_IN_FLIGHT:
            state.in_flight[file] = name
            files[file] = None
        else:
            state.files_left_out += 1
    if files:
        state.workers[name] = BusyWorker(heard_at, files)


def _take_out(state: StageState, file: str) -> None:
    """The file is in flight no more; the worker that had it may be busy no more."""
    name = state.in_flight.pop(file, None)
    if name is not None:
        files = state.workers[name].files
        del files[file]
        if not files:
            del state.workers[name]


def _forget_workers(state: StageState) -> None:
    state.workers.clear()
    state.in_flight.clear()


def _state_total(state: StageState, total: int | None) -> None:
    if total is not None:
        state.total = total


def percent(state: StageState) -> int | None:
    """Whole percent of the total that succeeded, rounded down; None when the total is unknown.

    Never 100 before the stage is complete, never above 100. A complete stage of no files is at 100.
    """
    if state.total is None:
        return None
    final = state.status.is_final
    if state.total == 0:
        return 100 if final else 0
    return min(state.processed * 100 // state.total, 100 if final else 99)


def batch_status(batch: BatchState) -> Status:
    """The status of the whole batch, from the last run of each stage."""
    current = [runs[-1] for runs in batch.stages.values()]
    if batch.closed:
        failed = any(state.errors for state in current)
        return Status.COMPLETE_WITH_ERRORS if failed else Status.COMPLETE
    return Status.PROCESSING if current else Status.PENDING


def status_at(state: StageState, now: datetime, stalled_after: timedelta) -> Status:
    """The status as people should see it at `now`: a stage under way that has been silent for too long is stalled."""
    quiet = state.updated_at is not None and now - state.updated_at > stalled_after
    return Status.STALLED if state.status is Status.PROCESSING and quiet else state.status


def restore_workers(state: StageState, workers: Iterable[tuple[str, datetime | None, Collection[str]]]) -> None:
    """Give a state that was kept without its busy workers their names, when each was last heard, and their files."""
    for name, last_heard_at, files in workers:
        state.workers[name] = BusyWorker(last_heard_at, dict.fromkeys(files))
        state.in_flight.update(dict.fromkeys(files, name))


def is_silent(worker: BusyWorker, now: datetime, silent_after: timedelta) -> bool:
    """Whether a busy worker has not been heard for too long at `now`: it may have died with its files."""
    return worker.last_heard_at is not None and now - worker.last_heard_at > silent_after
