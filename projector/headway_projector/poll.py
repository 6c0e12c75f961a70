"""One poll: records and what is remembered of their batches in, everything that one transaction writes out. Pure.

    1. decode    records -> events and refusals              `decode_records`
    2. look up   which files' outcomes are needed            `unknown_files` (the caller fetches them)
    3. fold      events -> counts, outcomes and log rows     `project`

`project` moves the memory of the batch on. When its transaction then fails, the memory is worth nothing: the caller
forgets it and begins again from the tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Final, NamedTuple

import msgspec
from headway_events import (
    BadEvent,
    BatchComplete,
    Event,
    FileEvent,
    Outcome,
    StageComplete,
    StageProgress,
    StageStart,
    StageState,
    decode,
    fold,
)
from headway_events.events import FILE_EVENTS, StageEvent
from msgspec import Raw

from headway_projector.copy import NULL, escaped, optional

_ESCAPED_NUL: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


class RawRecord(NamedTuple):
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


class BatchMemory(msgspec.Struct, kw_only=True):
    """What the projector remembers of a batch between two polls."""

    batch_id: int
    topic: str
    log_week: date
    position: int  # the next offset expected
    committed: int = 0  # the tables stand here at least, unless somebody has reset the batch
    closed: bool = False
    closed_at: datetime | None = None
    first_event_at: datetime | None = None
    last_event_at: datetime | None = None
    stages: dict[str, StageMemory] = {}

    def remembered_files(self) -> int:
        """File outcomes held in memory."""
        return sum(len(stage.state.outcomes) for stage in self.stages.values())

    def forget_files(self) -> None:
        """Free the outcomes; those needed later are looked up."""
        for stage in self.stages.values():
            stage.complete = False
            stage.state.outcomes.clear()


class OutcomeChange(NamedTuple):
    """A file whose outcome is another than the table says."""

    log_week: date
    batch_id: int
    stage: str
    run: int
    file_name: str
    outcome: str
    topic_offset: int
    duration_ms: float | None


class RunRow(NamedTuple):
    """A row of stageProgress."""

    batch_id: int
    stage: str
    run: int
    first_offset: int
    started: bool
    total: int | None
    processed: int
    errors: int
    attempts: int
    late: int
    status: str
    started_at: datetime | None
    updated_at: datetime | None
    ended_at: datetime | None


class BatchRow(NamedTuple):
    """The new values of a row of batch."""

    batch_id: int
    next_offset: int
    closed: bool
    closed_at: datetime | None
    first_event_at: datetime | None
    last_event_at: datetime | None


class DeadLetter(NamedTuple):
    """A row of deadLetter."""

    topic: str
    topic_offset: int
    batch_id: int
    error: str
    message: str
    key: bytes | None
    value: bytes | None
    recorded_at: datetime | None


class BatchProjection(msgspec.Struct, kw_only=True):
    """What one poll writes for one batch, if the batch still stands at `expected_offset`."""

    expected_offset: int
    batch: BatchRow
    events: int
    log_rows: str
    new_outcome_rows: str
    changed_outcomes: list[OutcomeChange]
    runs: list[RunRow]
    dead_letters: list[DeadLetter]


def decode_records(batch_id: int, records: Sequence[RawRecord]) -> Decoded:
    """Step 1. `records` are of one topic, in order, and at least one."""
    events: list[tuple[int, Event, bytes]] = []
    refusals: list[Refusal] = []
    for record in records:
        offset, timestamp_ms, _, value = record
        try:
            event = decode(value, batch_id=batch_id, recorded_ms=timestamp_ms)
        except BadEvent as error:
            refusals.append(Refusal(record, error))
        else:
            assert value is not None  # decode refuses None
            events.append((offset, event, value))
    return Decoded(events, refusals, records[0].offset, records[-1].offset + 1)


def unknown_files(memory: BatchMemory, decoded: Decoded) -> dict[str, set[str]]:
    """Step 2: of each stage whose outcomes are not all remembered, the files whose outcome must be looked up."""
    wanted: dict[str, set[str]] = {}
    for _, event, _ in decoded.events:
        if isinstance(event, FILE_EVENTS):
            stage = memory.stages.get(event.stage)
            if stage is not None and not stage.complete and not stage.state.status.is_final:
                wanted.setdefault(event.stage, set()).add(event.file_name)
    return wanted


def remember_outcomes(memory: BatchMemory, stage: str, outcomes: Iterable[tuple[str, str]]) -> None:
    """Add what was looked up."""
    memory.stages[stage].state.outcomes.update((name, Outcome(outcome)) for name, outcome in outcomes)


def project(memory: BatchMemory, decoded: Decoded, *, storable: dict[int, str] | None = None) -> BatchProjection:
    """Step 3.

    Args:
        memory: the batch's, moved on by this call.
        decoded: the records from the memory's position on.
        storable: by offset, responses to be stored in place of those that jsonb cannot hold.
    """
    folding = _Folding(memory, storable or {})
    for offset, event, value in decoded.events:
        if isinstance(event, BatchComplete):
            folding.close_batch(offset, event, value)
        else:
            folding.fold_event(offset, event, value)
    expected, memory.position = memory.position, decoded.next_offset
    for stage in memory.stages.values():
        if not stage.complete or stage.state.status.is_final:
            stage.state.outcomes.clear()
    return BatchProjection(
        expected_offset=expected,
        batch=BatchRow(
            memory.batch_id, memory.position, memory.closed, memory.closed_at, memory.first_event_at,
            memory.last_event_at,
        ),
        events=len(decoded.events),
        log_rows="".join(folding.log_rows),
        new_outcome_rows=folding.new_outcome_rows(),
        changed_outcomes=folding.changed_outcomes(),
        runs=folding.run_rows(),
        dead_letters=[_dead_letter(memory, refusal) for refusal in decoded.refusals],
    )  # fmt: skip


def storable_response(response: Raw) -> str:
    """The response's text as jsonb can hold it, as far as that is cheap to see: escaped NUL becomes U+FFFD."""
    text = bytes(response).decode()
    return _ESCAPED_NUL.sub(r"\1\\ufffd", text) if "\\u0000" in text else text


class _Folding:
    """The state of step 3 for one batch."""

    def __init__(self, memory: BatchMemory, storable: dict[int, str]) -> None:
        self.memory = memory
        self.log_rows: list[str] = []
        self._storable = storable
        self._week = memory.log_week.isoformat()
        # Of each run, its file outcomes that the table does not have (True: has no row) and their deciding event.
        self._outcomes: dict[tuple[str, int], dict[str, tuple[bool, Outcome, int, float | None]]] = {}
        self._ended_runs: list[RunRow] = []
        self._touched: dict[str, StageMemory] = {}

    def fold_event(self, offset: int, event: StageEvent, value: bytes) -> None:
        memory = self.memory
        stage = memory.stages.get(event.stage)
        if stage is None:
            stage = memory.stages[event.stage] = StageMemory(state=StageState(), first_offset=offset, complete=True)
        self._touched[event.stage] = stage
        before = stage.state
        if isinstance(event, FILE_EVENTS):
            known = before.outcomes.get(event.file_name)
            late = before.late
            state = stage.state = fold(before, event)
            outcome = state.outcomes.get(event.file_name)
            if outcome is not known and outcome is not None:
                self._note_outcome(event, state.run, known, outcome, offset)
            self._log_file(offset, event, value, state.run, late=state.late != late)
        else:
            state = stage.state = fold(before, event)
            if state.run != before.run:
                if before.run:
                    self._ended_runs.append(_run_row(memory.batch_id, event.stage, before, stage.first_offset))
                stage.first_offset, stage.complete = offset, True
            if isinstance(event, StageStart):
                memory.closed = False
            self._log_other(offset, event, value, state.run)
        self._note_time(event)

    def close_batch(self, offset: int, event: BatchComplete, value: bytes) -> None:
        self.memory.closed, self.memory.closed_at = True, event.timestamp
        self._log_other(offset, event, value, None)
        self._note_time(event)

    def new_outcome_rows(self) -> str:
        batch_id, week = self.memory.batch_id, self._week
        return "".join(
            f"{week}\t{batch_id}\t{escaped(stage)}\t{run}\t{escaped(name)}\t{outcome}\t{offset}\t{optional(duration)}\n"
            for (stage, run), files in self._outcomes.items()
            for name, (is_new, outcome, offset, duration) in files.items()
            if is_new
        )

    def changed_outcomes(self) -> list[OutcomeChange]:
        memory = self.memory
        return [
            OutcomeChange(memory.log_week, memory.batch_id, stage, run, name, outcome, offset, duration)
            for (stage, run), files in self._outcomes.items()
            for name, (is_new, outcome, offset, duration) in files.items()
            if not is_new
        ]

    def run_rows(self) -> list[RunRow]:
        batch_id = self.memory.batch_id
        current = [_run_row(batch_id, name, stage.state, stage.first_offset) for name, stage in self._touched.items()]
        return self._ended_runs + current

    def _note_outcome(self, event: FileEvent, run: int, known: Outcome | None, outcome: Outcome, offset: int) -> None:
        files = self._outcomes.setdefault((event.stage, run), {})
        noted = files.get(event.file_name)
        is_new = known is None if noted is None else noted[0]
        files[event.file_name] = (is_new, outcome, offset, event.duration_ms)

    def _note_time(self, event: Event) -> None:
        if self.memory.first_event_at is None:
            self.memory.first_event_at = event.timestamp
        self.memory.last_event_at = event.timestamp

    def _log_file(self, offset: int, event: FileEvent, value: bytes, run: int, *, late: bool) -> None:
        response = NULL
        if isinstance(event.response, Raw):
            response = escaped(self._storable.get(offset) or storable_response(event.response))
        gpu_ip = NULL if event.gpu_ip is None else escaped(event.gpu_ip)
        self.log_rows.append(
            f"{event.batch_id}\t{escaped(event.stage)}\t{event.event_type}\t{escaped(event.file_name)}\t{response}"
            f"\t\\N\t\\N\t\\N\t{gpu_ip}\t{optional(event.duration_ms)}\t{_in_utc(event.timestamp)}\t{offset}\t{run}"
            f"\t{'t' if late else 'f'}\t{escaped(value.decode())}\t{self._week}\n"
        )

    def _log_other(self, offset: int, event: Event, value: bytes, run: int | None) -> None:
        stage = NULL if isinstance(event, BatchComplete) else escaped(event.stage)
        counts = [NULL, NULL, NULL]
        if isinstance(event, StageStart | StageProgress | StageComplete):
            counts[0] = optional(event.total_files)
        if isinstance(event, StageProgress | StageComplete):
            counts[1:] = optional(event.processed_files), optional(event.failed_files)
        self.log_rows.append(
            f"{event.batch_id}\t{stage}\t{event.event_type}\t\\N\t\\N\t{counts[0]}\t{counts[1]}\t{counts[2]}\t\\N"
            f"\t\\N\t{_in_utc(event.timestamp)}\t{offset}\t{optional(run)}\tf\t{escaped(value.decode())}\t{self._week}\n"
        )


def _run_row(batch_id: int, stage: str, state: StageState, first_offset: int) -> RunRow:
    return RunRow(
        batch_id, stage, state.run, first_offset, state.started, state.total, state.processed, state.errors,
        state.attempts, state.late, state.status, state.started_at, state.updated_at, state.ended_at,
    )  # fmt: skip


def _dead_letter(memory: BatchMemory, refusal: Refusal) -> DeadLetter:
    record, error = refusal
    message = str(error).replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    return DeadLetter(
        memory.topic, record.offset, memory.batch_id, type(error).__name__, message, record.key, record.value,
        _recorded_at(record.timestamp_ms),
    )  # fmt: skip


def _in_utc(when: datetime | None) -> str:
    """An event's time as a COPY field: RFC 3339 allows offsets up to 23:59, PostgreSQL none beyond 15:59."""
    return NULL if when is None else str(when if when.tzinfo is UTC else when.astimezone(UTC))


def _recorded_at(timestamp_ms: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(timestamp_ms / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None
