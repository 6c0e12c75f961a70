"""One poll: records and what is remembered of their batches in, everything that one transaction writes out. Pure.

    1. decode    records -> events and refusals              `decode_records`
    2. look up   which files' outcomes are needed            `unknown_files` (the caller fetches them)
    3. fold      events -> counts, outcomes and log rows     `project`

`project` moves the memory of the batch on. When its transaction then fails, the memory is worth nothing: the caller
forgets it and begins again from the tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Final, NamedTuple

import msgspec
from headway_events import (
    BadEvent,
    BatchComplete,
    BusyWorker,
    Event,
    FileComplete,
    FileEvent,
    Outcome,
    StageStart,
    StageState,
    WorkerHeartbeat,
    decode,
    fold,
)
from headway_events.events import FILE_EVENTS, StageEvent

from headway_projector.copy import LogRows, escaped
from headway_projector.rows import AlertRow, BatchRow, DeadLetter, OutcomeChange, RunRow, WorkerRow

ROWS_FOR_A_LOOKUP: Final = 4  # that a scan reads in the time in which an index finds one; measured 3 to 8


class RawRecord(msgspec.Struct, gc=False, frozen=True):
    """A record as Kafka gave it."""

    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


class Refusal(NamedTuple):
    """A record that is not an event, and why."""

    record: RawRecord
    error: BadEvent


class Decoded(NamedTuple):
    """The records of one batch in one poll."""

    events: list[tuple[int, Event, bytes]]  # offset, event, value
    refusals: list[Refusal]
    first_offset: int
    next_offset: int


class StageMemory(msgspec.Struct, kw_only=True):
    """The current run of a stage. `complete`: its outcomes know every file of the run, so that none is looked up."""

    state: StageState
    first_offset: int
    complete: bool
    looked_up: int = 0  # files, since the run was loaded or forgotten
    workers: dict[str, WorkerRow] = {}  # the busy ones, as the tables have them


class Closing(NamedTuple):
    """A batch_complete that closed a batch."""

    run: int  # the batch's
    at: datetime | None
    failed: bool  # whether files had


class Failing(NamedTuple):
    """A run with errors whose counts a poll has changed."""

    run: RunRow
    errors_before: int


class BatchMemory(msgspec.Struct, kw_only=True):
    """What the projector remembers of a batch between two polls."""

    batch_id: int
    topic: str
    log_week: date
    position: int  # the next offset expected
    committed: int = 0  # the tables stand here at least, unless somebody has reset the batch
    active_at: float = 0.0  # seconds of a monotonic clock: when its last record came
    run: int = 1  # each stage_start that opens it again begins another
    closed: bool = False
    closed_at: datetime | None = None
    first_event_at: datetime | None = None
    last_event_at: datetime | None = None
    stages: dict[str, StageMemory] = {}
    alerted: set[tuple[int, str, str]] = set()  # run, kind and hook of alerts raised since it began to be read

    def remembered_files(self) -> int:
        """File outcomes held in memory."""
        return sum(len(stage.state.outcomes) for stage in self.stages.values())

    def forget_files(self) -> None:
        """Free the outcomes; those needed later are looked up."""
        for stage in self.stages.values():
            stage.complete, stage.looked_up = False, 0
            stage.state.outcomes.clear()


class BatchProjection(msgspec.Struct, kw_only=True):
    """What one poll writes for one batch, if the batch still stands at `expected_offset`."""

    expected_offset: int
    batch: BatchRow
    events: int
    log_rows: str
    new_outcome_rows: str
    changed_outcomes: list[OutcomeChange]
    runs: list[RunRow]
    changed_workers: list[WorkerRow]
    gone_workers: list[tuple[int, str, str]]  # batch, stage, worker
    dead_letters: list[DeadLetter]
    closings: list[Closing]
    failing: list[Failing]
    alerts: list[AlertRow] = []


def decode_records(batch_id: int, records: Sequence[RawRecord]) -> Decoded:
    """Step 1. `records` are of one topic, in order, and at least one."""
    events: list[tuple[int, Event, bytes]] = []
    refusals: list[Refusal] = []
    for record in records:
        value = record.value
        try:
            event = decode(value, batch_id=batch_id, recorded_ms=record.timestamp_ms)
        except BadEvent as error:
            refusals.append(Refusal(record, error))
        else:
            assert value is not None  # decode refuses None
            events.append((record.offset, event, value))
    return Decoded(events, refusals, records[0].offset, records[-1].offset + 1)


def unknown_files(memory: BatchMemory, decoded: Decoded) -> dict[str, set[str]]:
    """Step 2: of each stage whose outcomes are not all remembered, the files whose outcome must be looked up."""
    wanted: dict[str, set[str]] = {}
    for _, event, _ in decoded.events:
        if isinstance(event, FILE_EVENTS):
            if _must_look_up(memory.stages.get(event.stage)):
                wanted.setdefault(event.stage, set()).add(event.file_name)
        elif (
            isinstance(event, WorkerHeartbeat)
            and event.files_in_flight
            and _must_look_up(memory.stages.get(event.stage))
        ):
            wanted.setdefault(event.stage, set()).update(event.files_in_flight)
    return wanted


def _must_look_up(stage: StageMemory | None) -> bool:
    return stage is not None and not stage.complete and not stage.state.status.is_final


def is_worth_loading(stage: StageMemory, wanted: int, most_files: int) -> bool:
    """Whether to load all outcomes of the run in place of those of the `wanted` files: it is small, or asked for often.

    So a projector that takes a batch over in the middle looks files up for a while and is then as fast as the one
    before it, and one that gets a late file of a run of millions does not read them all.
    """
    stage.looked_up += wanted
    files = min(stage.state.attempts, stage.state.processed + stage.state.errors)  # at least; checkpoints add
    return files <= most_files and files <= stage.looked_up * ROWS_FOR_A_LOOKUP


def remember_outcomes(memory: BatchMemory, stage: str, outcomes: Iterable[tuple[str, str]]) -> None:
    """Add what was looked up."""
    memory.stages[stage].state.outcomes.update((name, Outcome(outcome)) for name, outcome in outcomes)


def project(memory: BatchMemory, decoded: Decoded, *, storable: Mapping[int, str] | None = None) -> BatchProjection:
    """Step 3.

    Args:
        memory: the batch's, moved on by this call.
        decoded: the records from the memory's position on.
        storable: by offset, responses to be stored in place of those that jsonb cannot hold.
    """
    folding = _Folding(memory, LogRows(memory.batch_id, memory.log_week, storable or {}))
    for offset, event, value in decoded.events:
        if isinstance(event, FILE_EVENTS):
            folding.fold_file(offset, event, value)
        elif isinstance(event, BatchComplete):
            folding.close_batch(offset, event, value)
        else:
            folding.fold_other(offset, event, value)
    if decoded.events:
        if memory.first_event_at is None:
            memory.first_event_at = decoded.events[0][1].timestamp
        memory.last_event_at = decoded.events[-1][1].timestamp
    expected, memory.position = memory.position, decoded.next_offset
    for stage in memory.stages.values():
        if not stage.complete or stage.state.status.is_final:
            stage.state.outcomes.clear()
    changed_workers, gone_workers = folding.worker_rows()
    runs = folding.run_rows()
    return BatchProjection(
        expected_offset=expected,
        batch=BatchRow(
            memory.batch_id, memory.position, memory.run, memory.closed, memory.closed_at, memory.first_event_at,
            memory.last_event_at,
        ),
        events=len(decoded.events),
        log_rows=folding.log.text(),
        new_outcome_rows=folding.new_outcome_rows(),
        changed_outcomes=folding.changed_outcomes(),
        runs=runs,
        changed_workers=changed_workers,
        gone_workers=gone_workers,
        dead_letters=[_dead_letter(memory, refusal) for refusal in decoded.refusals],
        closings=folding.closings,
        failing=list(folding.failing(runs)),
    )  # fmt: skip


class _NewOutcome(msgspec.Struct, gc=False, frozen=True):
    """A file's outcome that the table does not have: whether it has a row of the file, and the event that decided."""

    has_row: bool
    offset: int
    event: FileEvent
    name: str  # as a COPY field
    duration: str  # likewise
    retried: bool  # whether it succeeded after it had failed


class _Folding:
    """The state of step 3 for one batch."""

    def __init__(self, memory: BatchMemory, log: LogRows) -> None:
        self.log = log
        self.closings: list[Closing] = []
        self._memory = memory
        self._outcomes: dict[str, dict[str, _NewOutcome]] = {}  # by stage, of its current run: by file
        self._before: dict[tuple[str, int], tuple[int, int]] = {}  # by stage and run: processed and errors
        self._ended: list[tuple[str, StageMemory, dict[str, _NewOutcome]]] = []  # the runs before, likewise

    def fold_file(self, offset: int, event: FileEvent, value: bytes) -> None:
        stage = self._stage(event.stage, offset)
        before = stage.state
        processed, errors, late = before.processed, before.errors, before.late
        state = stage.state = fold(before, event)
        fields = self.log.add_file(offset, event, value, state.run, late=state.late != late)
        if state.errors < errors:  # the file had failed, in this poll or before it
            outcomes = self._outcomes[event.stage]
            noted = outcomes.get(event.file_name)
            has_row = noted is None or noted.has_row
            outcomes[event.file_name] = _NewOutcome(has_row, offset, event, *fields, retried=True)
        elif state.processed != processed or state.errors != errors:
            self._outcomes[event.stage][event.file_name] = _NewOutcome(False, offset, event, *fields, retried=False)

    def fold_other(self, offset: int, event: StageEvent, value: bytes) -> None:
        stage = self._stage(event.stage, offset)
        before = stage.state
        state = stage.state = fold(before, event)
        if state.run != before.run:
            if before.run:
                ended = StageMemory(state=before, first_offset=stage.first_offset, complete=stage.complete)
                self._ended.append((event.stage, ended, self._outcomes[event.stage]))
                self._outcomes[event.stage] = {}
            stage.first_offset, stage.complete = offset, True
        if isinstance(event, StageStart) and self._memory.closed:
            self._memory.closed = False
            self._memory.run += 1
        self.log.add(offset, event, value, state.run)

    def close_batch(self, offset: int, event: BatchComplete, value: bytes) -> None:
        memory = self._memory
        if not memory.closed:
            failed = any(stage.state.errors for stage in memory.stages.values())
            self.closings.append(Closing(memory.run, event.timestamp, failed))
        memory.closed, memory.closed_at = True, event.timestamp
        self.log.add(offset, event, value, None)

    def new_outcome_rows(self) -> str:
        rows = []
        for name, stage, outcomes in self._runs():
            head = f"{self._memory.log_week.isoformat()}\t{self._memory.batch_id}\t{escaped(name)}\t{stage.state.run}\t"
            rows += [
                f"{head}{new.name}\t{_outcome(new.event)}\t{new.offset}\t{new.duration}"
                f"\t{'t' if new.retried else 'f'}\n"
                for new in outcomes.values()
                if not new.has_row
            ]
        return "".join(rows)

    def changed_outcomes(self) -> list[OutcomeChange]:
        memory = self._memory
        return [
            OutcomeChange(
                memory.log_week, memory.batch_id, name, stage.state.run, file, _outcome(new.event), new.offset,
                new.event.duration_ms,
            )
            for name, stage, outcomes in self._runs()
            for file, new in outcomes.items()
            if new.has_row
        ]  # fmt: skip

    def run_rows(self) -> list[RunRow]:
        batch_id = self._memory.batch_id
        return [_run_row(batch_id, name, stage.state, stage.first_offset) for name, stage, _ in self._runs()]

    def failing(self, runs: Iterable[RunRow]) -> Iterator[Failing]:
        for run in runs:
            processed, errors = self._before.get((run.stage, run.run), (0, 0))
            if run.errors and (run.errors != errors or run.processed != processed):
                yield Failing(run, errors)

    def worker_rows(self) -> tuple[list[WorkerRow], list[tuple[int, str, str]]]:
        """The busy workers that are other than the tables say, and those that are busy no more."""
        batch_id = self._memory.batch_id
        changed: list[WorkerRow] = []
        gone: list[tuple[int, str, str]] = []
        for name in self._outcomes:
            stage = self._memory.stages[name]
            written = stage.workers
            if written or stage.state.workers:
                stage.workers = {
                    worker: _worker_row(batch_id, name, stage.state.run, worker, busy)
                    for worker, busy in stage.state.workers.items()
                }
                changed += [row for worker, row in stage.workers.items() if written.get(worker) != row]
                gone += [(batch_id, name, worker) for worker in written if worker not in stage.workers]
        return changed, gone

    def _stage(self, name: str, offset: int) -> StageMemory:
        """What is remembered of a stage that this poll has an event of."""
        stage = self._memory.stages.get(name)
        if stage is None:
            stage = self._memory.stages[name] = StageMemory(state=StageState(), first_offset=offset, complete=True)
        if name not in self._outcomes:
            self._outcomes[name] = {}
            self._before[name, stage.state.run] = (stage.state.processed, stage.state.errors)
        return stage

    def _runs(self) -> Iterator[tuple[str, StageMemory, dict[str, _NewOutcome]]]:
        """Every run that this poll has an event of."""
        yield from self._ended
        for name, outcomes in self._outcomes.items():
            yield name, self._memory.stages[name], outcomes


def _outcome(event: FileEvent) -> str:
    return "success" if isinstance(event, FileComplete) else "error"


def _run_row(batch_id: int, stage: str, state: StageState, first_offset: int) -> RunRow:
    return RunRow(
        batch_id, stage, state.run, first_offset, state.started, state.total, state.processed, state.errors,
        state.attempts, state.late, state.status, state.started_at, state.updated_at, state.ended_at,
        state.files_left_out,
    )  # fmt: skip


def _worker_row(batch_id: int, stage: str, run: int, worker: str, busy: BusyWorker) -> WorkerRow:
    return WorkerRow(
        batch_id, stage, run, worker, busy.last_heard_at, msgspec.json.encode(list(busy.files)).decode(),
    )  # fmt: skip


def _dead_letter(memory: BatchMemory, refusal: Refusal) -> DeadLetter:
    record, error = refusal
    message = str(error).replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    return DeadLetter(
        memory.topic, record.offset, memory.batch_id, type(error).__name__, message, record.key, record.value,
        _recorded_at(record.timestamp_ms),
    )  # fmt: skip


def _recorded_at(timestamp_ms: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(timestamp_ms / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None
