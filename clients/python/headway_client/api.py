"""The answers of the JSON API, as far as they are stable. Fields that are not listed are passed over."""

from __future__ import annotations

from datetime import datetime

import msgspec
from headway_events import Status


class WorkerInfo(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A worker that has files in flight."""

    worker: str
    last_heard_at: datetime | None
    files_in_flight: list[str]
    silent: bool
    """Whether it was not heard for too long: it may have died with its files."""


class StageInfo(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One run of a stage, as the tables have it."""

    stage: str
    run: int
    status: Status
    total: int | None
    processed: int
    errors: int
    attempts: int
    late: int
    percent: int | None
    started_at: datetime | None = None
    updated_at: datetime | None = None
    ended_at: datetime | None = None
    workers: list[WorkerInfo] = []
    """Those that are busy, heard the longest ago first; only in the answer for one batch, for the current run."""


class BatchInfo(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A batch, as the tables have it: what it is called, and how far it is."""

    batch_id: int
    name: str | None
    labels: dict[str, str]
    status: Status
    closed: bool
    stages: list[StageInfo]
    """The current run of each stage, in the order in which they began."""
    runs: list[StageInfo] = []
    """Earlier runs; only in the answer for one batch."""
    dead_letters: int = 0
    """Records of the batch that are no events, and were not counted."""
    problem: str | None = None
    """Why the batch is not counted any further, and the remedy."""
    created_at: datetime | None = None
    first_event_at: datetime | None = None
    last_event_at: datetime | None = None
    archived_at: datetime | None = None
    log_dropped_at: datetime | None = None
    stalled_after_s: float = 30.0
    """Seconds of silence after which a stage is stalled."""
    worker_silent_after_s: float = 20.0
    """Seconds after which a worker with files in flight is silent."""


class BatchPage(msgspec.Struct, frozen=True):
    """Some batches, newest first, and the address of the next ones."""

    batches: list[BatchInfo]
    next: str | None


class FileInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A file of a group of errors."""

    file_name: str


class ErrorGroup(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Failed files whose errors read alike."""

    type: str | None
    message: str
    """The file's name replaced by {file}, each number by #."""
    count: int
    """Files."""
    stages: list[str]
    first_at: datetime | None
    last_at: datetime | None
    files: list[FileInfo]
    """The first ones."""


class ErrorGroups(msgspec.Struct, frozen=True, kw_only=True):
    """The failed files of the stages' current runs by what their errors say, the most frequent first."""

    files: int
    """In all groups, those left out of `errors` included."""
    groups: int
    """As many as there are."""
    errors: list[ErrorGroup]
