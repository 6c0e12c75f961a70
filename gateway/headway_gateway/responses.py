"""What the JSON API answers: one Struct a document, from which `openapi.json` is made as well. Pure.

Batch numbers and offsets are exact integers up to 64 bits, which JavaScript rounds above 2**53: whoever follows the
addresses in `self` and `next` needs no number. A field that is not known is null, never left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final

from headway_events import Outcome, Status
from headway_events.events import BatchId, Gpu, StageName
from msgspec import Meta, Raw, Struct, field

_EVENT: Final = {"$ref": "#/components/schemas/Event"}

Moment = Annotated[datetime, Meta(tz=True)]
Offset = Annotated[int, Meta(ge=0, le=2**63 - 1, description="A place in the batch's topic.")]
Next = Annotated[str | None, Meta(description="The address of the next page; null on the last.")]
RunNumber = Annotated[int, Meta(ge=1, description="1 for the first; each further stage_start begins another.")]


class _Document(Struct, rename="camel", kw_only=True):
    """What all documents have in common: camelCase names, as in the events."""


class Run(_Document):
    """One run of one stage: its counts after the last event."""

    stage: StageName
    run: RunNumber
    status: Status
    total: Annotated[int | None, Meta(description="Files in all, as the pipeline stated; null when unknown.")]
    processed: Annotated[int, Meta(description="Distinct files that succeeded.")]
    errors: Annotated[int, Meta(description="Distinct files whose last outcome is an error.")]
    attempts: Annotated[int, Meta(description="Reports of files, duplicates and retries included.")]
    late: Annotated[int, Meta(description="Reports of files after stage_complete; not counted.")]
    percent: Annotated[int | None, Meta(description="Of the total, rounded down; 100 only when the run is over.")]
    started_at: Moment | None
    updated_at: Annotated[Moment | None, Meta(description="The time of the last event that was not late.")]
    ended_at: Moment | None


class BusyWorker(_Document):
    """A worker that has files in flight."""

    worker: str
    last_heard_at: Annotated[Moment | None, Meta(description="The time of its last heartbeat.")]
    files_in_flight: Annotated[list[str], Meta(description="What it named then, without the files reported since.")]
    silent: Annotated[bool, Meta(description="Whether it was not heard for too long: it may have died with its files.")]


class CurrentRun(Run):
    """The last run of a stage, and the workers that are busy with it."""

    workers: Annotated[list[BusyWorker], Meta(description="Those heard the longest ago first.")]
    files_left_out: Annotated[
        int,
        Meta(description="Files named by heartbeats that `workers` does not have, as it has 10,000; each time."),
    ]


class StageRun(Run):
    """One run of one stage, and its place among the others."""

    is_current: Annotated[bool, Meta(description="Whether it is the stage's last run.")]
    first_offset: Annotated[int, Meta(description="The offset of the run's first event.")]


class Batch(_Document):
    """A batch with the last run of each of its stages, in the order in which they began."""

    batch_id: BatchId
    self_: Annotated[str, Meta(description="The batch's address.")] = field(name="self")
    page: Annotated[str, Meta(description="The address of its page for people.")]
    name: str | None
    labels: dict[str, str]
    status: Status
    created_at: Annotated[Moment | None, Meta(description="When the batch was announced.")]
    first_event_at: Moment | None
    last_event_at: Moment | None
    closed: Annotated[bool, Meta(description="Whether batch_complete has come and no stage has started since.")]
    dead_letters: Annotated[int, Meta(description="Records of the topic that are not events.")]
    archived_at: Annotated[Moment | None, Meta(description="When the topic was deleted; null while it is kept.")]
    log_dropped_at: Annotated[Moment | None, Meta(description="When events and files were dropped; null before.")]
    problem: Annotated[str | None, Meta(description="Why the topic is not projected further, and what to do.")]
    stalled_after_s: Annotated[int, Meta(description="Seconds of silence after which a stage is stalled.")]
    worker_silent_after_s: Annotated[int, Meta(description="Seconds after which a worker with files is silent.")]
    stages: Sequence[Run]


class BatchDetails(Batch):
    """A batch, with the earlier runs of its stages and the workers that are busy."""

    stages: list[CurrentRun]
    next_offset: Annotated[int, Meta(description="Every offset of the topic below this one is counted.")]
    runs: Annotated[list[Run], Meta(description="The earlier runs, in the order in which they began.")]


class BatchPage(_Document):
    """A page of batches."""

    batches: list[Batch]
    previous: Annotated[str | None, Meta(description="The address of the page before; null on the first.")]
    next: Next


class StageRuns(_Document):
    """Every run of every stage of a batch, in the order in which they began."""

    runs: list[StageRun]


class LoggedEvent(_Document):
    """An event of the log."""

    offset: Offset
    event_type: str
    data: Annotated[Raw, Meta(description="The data of the stream's message, byte for byte.", extra_json_schema=_EVENT)]


class EventPage(_Document):
    """A page of a batch's event log."""

    events: list[LoggedEvent]
    next: Next


class File(_Document):
    """How a file stands in a run of a stage."""

    file_name: str
    stage: StageName
    run: RunNumber
    outcome: Outcome
    duration_ms: Annotated[float | None, Meta(description="Milliseconds, as the deciding event says.")]
    offset: Annotated[Offset, Meta(description="The offset of the event that decided the outcome.")]
    timestamp: Annotated[Moment | None, Meta(description="When that event happened.")]
    self_: Annotated[str, Meta(description="The file's address.")] = field(name="self")


class FilePage(_Document):
    """A page of a batch's files."""

    files: list[File]
    next: Next


class Attempt(LoggedEvent):
    """A report of a file, with all that the pipeline said of it."""

    stage: StageName
    run: RunNumber
    late: Annotated[bool, Meta(description="Whether it came after stage_complete, and so changed no count.")]
    timestamp: Moment | None


class FileDetails(_Document):
    """One file: how it stands in each run, and every report of it in the order of the topic."""

    file_name: str
    self_: Annotated[str, Meta(description="The file's address.")] = field(name="self")
    outcomes: Annotated[list[File], Meta(description="How it stands in each run in which it was counted.")]
    attempts: list[Attempt]
    next: Annotated[str | None, Meta(description="The address of the next attempts; null when these are the last.")]


class ErrorGroup(_Document):
    """Failed files whose errors read alike."""

    type: Annotated[str | None, Meta(description="The error's type, from `type` of the response.")]
    message: Annotated[
        str, Meta(description="The error's message, the file's name replaced by {file}, each number by #.")
    ]
    example: Annotated[str, Meta(description="The message of the first of them as it is, at most 1,000 characters.")]
    count: Annotated[int, Meta(description="Files.")]
    stages: list[StageName]
    first_offset: Offset
    last_offset: Offset
    first_at: Annotated[Moment | None, Meta(description="When the first of them happened.")]
    last_at: Annotated[Moment | None, Meta(description="When the last of them happened.")]
    files: Annotated[list[File], Meta(description="The first ones, at most five.")]


class ErrorGroups(_Document):
    """The failed files of the stages' current runs by what their errors say, the most frequent first."""

    files: Annotated[int, Meta(description="Failed files in all groups, those left out of `errors` included.")]
    groups: Annotated[int, Meta(description="Groups that there are.")]
    errors: list[ErrorGroup]


class WorkerGpu(_Document):
    """A GPU of a worker."""

    gpu: Annotated[Gpu, Meta(description="As the worker last described it.")]
    heard_at: Moment | None


class FileInFlight(_Document):
    """A file that a worker is on."""

    stage: StageName
    file_name: str
    since: Annotated[
        Moment | None, Meta(description="The first of the heartbeats looked at that names it; null when none does.")
    ]


class Worker(_Document):
    """A worker: what it is on, and what the latest events say that it has done."""

    worker: Annotated[str, Meta(description="Its name; `gpuIp` where files are reported without their worker.")]
    host: str | None
    stages: list[StageName]
    gpus: list[WorkerGpu]
    done: Annotated[int, Meta(description="Reports of success among the events looked at.")]
    failed: Annotated[int, Meta(description="Reports of errors among the events looked at.")]
    last_heard_at: Moment | None
    files_in_flight: Annotated[list[FileInFlight], Meta(description="At most ten.")]
    more_in_flight: Annotated[int, Meta(ge=0, description="Files in flight beside those.")]
    silent: Annotated[bool, Meta(description="Whether it was not heard for too long with files in flight.")]


class Workers(_Document):
    """The workers that the latest events name, and all that have files in flight, by name."""

    workers: list[Worker]
    events: Annotated[int, Meta(description="The latest events that were looked at.")]
    whole: Annotated[bool, Meta(description="Whether those are all events of the batch.")]
    since: Annotated[Moment | None, Meta(description="When the earliest of those events happened.")]
    until: Annotated[Moment | None, Meta(description="When the latest of them happened.")]


class DeadLetter(_Document):
    """A record of the batch's topic that is not an event."""

    offset: Offset
    error: Annotated[str, Meta(description="Why, as a stable code.")]
    message: Annotated[str, Meta(description="Why, in words.")]
    key: Annotated[bytes | None, Meta(description="The record's key, base64.")]
    value: Annotated[bytes | None, Meta(description="The record's value, base64.")]
    text: Annotated[str | None, Meta(description="The value to read: at most 1,000 characters, bad UTF-8 replaced.")]
    recorded_at: Moment | None
    refused_at: Moment


class DeadLetterPage(_Document):
    """A page of a batch's dead letters, in the order of the topic."""

    dead_letters: list[DeadLetter]
    next: Next


class Problem(_Document):
    """Why a request cannot be answered (RFC 9457). Problems of a type can have further members, such as `parameter`."""

    type: Annotated[str, Meta(description="`/problems/` and the kind, or about:blank.")]
    title: str
    status: Annotated[int, Meta(ge=400, le=599)]
    detail: Annotated[str, Meta(description="What was found, what was expected, the remedy.")]


class ExportedEvent(_Document):
    """A row of an export of events: what the event says and where the projection put it."""

    batch_id: BatchId
    offset: Offset
    event_type: str
    stage: Annotated[str | None, Meta(description="Null for batch_complete.")]
    run: Annotated[int | None, Meta(description="The stage's run that it belongs to.")]
    late: Annotated[bool, Meta(description="Whether it came after stage_complete, and so changed no count.")]
    timestamp: Annotated[Moment | None, Meta(description="When it happened, in UTC.")]
    file_name: str | None
    duration_ms: Annotated[float | None, Meta(description="How long the file took, in milliseconds.")]
    gpu_ip: Annotated[str | None, Meta(description="Where the file was processed.")]
    total_files: int | None
    processed_files: int | None
    failed_files: int | None
    worker: Annotated[str | None, Meta(description="The process that reports, where the event names it.")]
    response: Annotated[str | None, Meta(description="What the pipeline said of the file: JSON text as it came.")]


class ExportedFile(_Document):
    """A row of an export of files: how a file stands in a run of a stage."""

    batch_id: BatchId
    stage: str
    run: int
    is_current: Annotated[bool, Meta(description="Whether it is the stage's last run.")]
    file_name: str
    outcome: Annotated[str, Meta(description="success or error.")]
    duration_ms: Annotated[float | None, Meta(description="How long the file took, in milliseconds.")]
    offset: Annotated[int, Meta(description="The offset of the event that decided the outcome.")]
