"""The rows that a poll writes, table by table, but those that are copied as text. Pure."""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple


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
    files_left_out: int


class WorkerRow(NamedTuple):
    """A row of busyWorker."""

    batch_id: int
    stage: str
    run: int
    worker: str
    last_heard_at: datetime | None
    files_in_flight: str  # as JSON


class BatchRow(NamedTuple):
    """The new values of a row of batch."""

    batch_id: int
    next_offset: int
    run: int
    closed: bool
    closed_at: datetime | None
    first_event_at: datetime | None
    last_event_at: datetime | None


class AlertRow(NamedTuple):
    """A row of alert, if the batch has the labels: whom to tell what of it."""

    batch_id: int
    run: int
    kind: str
    stage: str | None
    happened_at: datetime | None  # None: now
    hook: str
    labels: str  # as JSON


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
